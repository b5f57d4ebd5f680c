//! The decision once more: slow, on the texts themselves, with nothing clever, so that it can be
//! read beside the specification. Every classic mistake can be planted in it.

mod decide;
mod label;
mod mistakes;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::example::{EU, EU_FI, FEDERATION, FI, RULES, TLP};

pub(crate) use label::Written;
pub(crate) use mistakes::Mistake;

/// The example files as values, and the mistake that this model makes.
#[derive(Clone)]
pub(crate) struct Model {
    mistake: Option<Mistake>,
    catalogues: Vec<Value>,
    federation: Value,
    rules: Vec<Value>,
    table: Value,
}

/// Decision, reasons in order, and the level that counts.
pub(crate) type Answer = (String, Vec<String>, Option<String>);

impl Model {
    pub(crate) fn new(mistake: Option<Mistake>) -> Self {
        let read = |text: &str| -> Value { toml::from_str(text).unwrap() };
        Self {
            mistake,
            catalogues: [FI, EU, TLP].map(read).into(),
            federation: read(FEDERATION),
            rules: list(&read(RULES)["rule"]).to_vec(),
            table: read(EU_FI),
        }
    }

    fn makes(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    fn catalogue(&self, name: &str) -> Option<&Value> {
        self.catalogues.iter().find(|c| c["name"] == name || c["id"] == name)
    }

    /// Answers one case of the vectors. The marking of a label is not modelled.
    pub(crate) fn answer(&self, kind: &str, input: &Value) -> Option<Answer> {
        match kind {
            "admits" => Some(self.admits_case(input)),
            "decide" => Some(self.decide_case(input)),
            "join" => Some(self.join_case(input)),
            "bundle" => Some((self.accept(input), Vec::new(), None)),
            _ => None,
        }
    }

    fn admits_case(&self, input: &Value) -> Answer {
        let catalogue = self.catalogue(text(&input["policy"])).unwrap();
        let label = Written::read(&input["label"]);
        let reasons = match self.invalid(catalogue, &label, flag(&input["originating"])) {
            faults if !faults.is_empty() => faults,
            _ => self.lacks(catalogue, &label, &input["clearance"]),
        };
        let word = if reasons.is_empty() { "PERMIT" } else { "DENY" };
        (word.into(), reasons, None)
    }

    fn join_case(&self, input: &Value) -> Answer {
        let catalogue = self.catalogue(text(&input["policy"])).unwrap();
        let labels: Vec<Written> = list(&input["labels"]).iter().map(Written::read).collect();
        match self.join(catalogue, &labels) {
            Some(joined) => ("PERMIT".into(), Vec::new(), Some(joined.to_string())),
            None => ("HOLD".into(), Vec::new(), None),
        }
    }

    fn accept(&self, input: &Value) -> String {
        let (current, new) = (&input["current"], &input["new"]);
        let number = |value: &Value| value.as_u64().unwrap_or(1);
        let expired = new["expires"].as_i64().is_some_and(|at| input["now"].as_i64().unwrap() > at);
        let (old_serial, serial) = (number(&current["serial"]), number(&new["serial"]));
        let word = if !flag(&new["signature_ok"]) && !self.makes(Mistake::UnsignedBundle) {
            "SIGNATURE"
        } else if serial < old_serial && !self.makes(Mistake::RollbackAccepted) {
            "ROLLBACK"
        } else if serial == old_serial {
            if current["digest"] == new["digest"] { "UNCHANGED" } else { "EQUIVOCATION" }
        } else if expired {
            "EXPIRED"
        } else if !flag(&new["lint_ok"]) {
            "LINT"
        } else if !flag(&new["tests_ok"]) && !self.makes(Mistake::TestsIgnored) {
            "TESTS"
        } else if flag(&new["widens"])
            && number(&new["signers"]) < 2
            && !self.makes(Mistake::OneSignerWidens)
        {
            "SECOND_SIGNATURE"
        } else {
            "ACCEPT"
        };
        word.into()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn flag(value: &Value) -> bool {
    value.as_bool().unwrap_or(false)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// One text or a list of them.
fn texts(value: &Value) -> BTreeSet<String> {
    match value.as_str() {
        Some(text) => [text.to_owned()].into(),
        None => list(value).iter().map(|entry| text(entry).to_owned()).collect(),
    }
}
