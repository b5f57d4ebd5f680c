//! The example federation, whole or with one thing changed.

use std::time::Duration;

use kuriiri_policy::{
    Alternative, Approval, Catalogue, Decision, Facts, Federation, NodeId, Policy, Reason, Rules,
    Sources, Translation,
};
use kuriiri_types::{Digest, MessageType, Precedence, Timestamp, WireLabel};

macro_rules! shared {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/labels/", $name))
    };
}

pub(crate) const FI: &str = shared!("catalogue-fi.toml");
pub(crate) const EU: &str = shared!("catalogue-eu.toml");
pub(crate) const TLP: &str = shared!("catalogue-tlp.toml");
pub(crate) const FEDERATION: &str = shared!("federation.toml");
pub(crate) const RULES: &str = shared!("policy.toml");
pub(crate) const EU_FI: &str = shared!("translate-eu-fi.toml");

/// The texts of the files, to be changed before they are compiled.
#[derive(Clone)]
pub(crate) struct Files {
    pub(crate) catalogues: Vec<String>,
    pub(crate) federation: String,
    pub(crate) rules: String,
    pub(crate) local: Vec<String>,
    pub(crate) translations: Vec<String>,
}

impl Files {
    pub(crate) fn shared() -> Self {
        Self {
            catalogues: [FI, EU, TLP].map(str::to_owned).into(),
            federation: FEDERATION.into(),
            rules: RULES.into(),
            local: Vec::new(),
            translations: vec![EU_FI.into()],
        }
    }

    /// Adds rules to the federation's own.
    pub(crate) fn and_rules(mut self, rules: &str) -> Self {
        self.rules.push_str(rules);
        self
    }

    /// Adds a ministry's local file.
    pub(crate) fn and_local(mut self, rules: &str) -> Self {
        let head = "format='routing-policy/1'\nserial=1\n";
        self.local.push(format!("{head}{rules}"));
        self
    }

    pub(crate) fn replace(mut self, old: &str, new: &str) -> Self {
        let texts = self.catalogues.iter_mut().chain(&mut self.translations);
        for text in texts.chain([&mut self.federation, &mut self.rules]) {
            *text = text.replace(old, new);
        }
        self
    }

    pub(crate) fn sources(&self) -> Result<Sources, String> {
        let told = |error: kuriiri_policy::PolicyError| error.to_string();
        let catalogues = self.catalogues.iter().map(|text| Catalogue::parse(text));
        let local = self.local.iter().map(|text| Rules::parse(text));
        let tables = self.translations.iter().map(|text| Translation::parse(text));
        Ok(Sources {
            catalogues: catalogues.collect::<Result<_, _>>().map_err(told)?,
            federation: Federation::parse(&self.federation).map_err(told)?,
            rules: Rules::parse(&self.rules).map_err(told)?,
            local: local.collect::<Result<_, _>>().map_err(told)?,
            translations: tables.collect::<Result<_, _>>().map_err(told)?,
        })
    }

    pub(crate) fn compile(&self) -> Result<Policy, String> {
        Policy::compile(self.sources()?).map_err(|error| error.to_string())
    }

    pub(crate) fn policy(&self) -> Policy {
        self.compile().unwrap()
    }
}

pub(crate) fn node(policy: &Policy, id: &str) -> NodeId {
    policy.federation().by_id(id).unwrap_or(NodeId::UNKNOWN)
}

pub(crate) fn label(text: &str) -> WireLabel {
    text.parse().unwrap()
}

/// A verified, sealed, small message made now, on its way from its origin; nothing special.
pub(crate) fn facts<'a>(policy: &Policy, way: [&str; 3], label: &'a WireLabel) -> Facts<'a> {
    let label = Some(label);
    Facts { label, ..unlabelled(policy, way) }
}

/// The same without a label.
pub(crate) fn unlabelled<'a>(policy: &Policy, way: [&str; 3]) -> Facts<'a> {
    let [origin, next, dest] = way.map(|id| node(policy, id));
    Facts {
        at: origin,
        origin,
        prev: None,
        next: Some(next),
        dest,
        path: &[],
        verified: true,
        label: None,
        alternatives: &[],
        originating: false,
        person: None,
        sealed: true,
        size: 1000,
        created: NOW,
        expires: None,
        precedence: Precedence::Routine,
        message_type: MessageType::Operation,
        skew: Duration::ZERO,
        digest: Some(DIGEST),
        approvals: &[],
        drafter: None,
        onward: false,
        consent: false,
    }
}

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_000_000);
pub(crate) const DIGEST: Digest = Digest([7; 32]);

pub(crate) fn approval(officer: &str, node: NodeId) -> Approval<'_> {
    Approval { officer, node, digest: DIGEST, until: None, roles: &[] }
}

pub(crate) fn alternative<'a>(label: &'a WireLabel, signer: &'a str) -> Alternative<'a> {
    Alternative { label, signer }
}

/// `PERMIT`, `HOLD` or `DENY`, and the codes.
pub(crate) fn codes(decision: &Decision) -> (&'static str, Vec<String>) {
    match decision {
        Decision::Permit(_) => ("PERMIT", Vec::new()),
        Decision::Hold(_, missing) => ("HOLD", missing.iter().map(|m| m.code()).collect()),
        Decision::Deny(reasons) => ("DENY", reasons.iter().map(Reason::code).collect()),
    }
}

/// Permit above hold above deny.
pub(crate) fn rank(decision: &Decision) -> u8 {
    match decision {
        Decision::Permit(_) => 2,
        Decision::Hold(..) => 1,
        Decision::Deny(_) => 0,
    }
}

// === short forms ===

/// The codes of a decision on a message with everything in order but what `change` does.
pub(crate) fn decide<'a>(
    policy: &Policy,
    way: [&str; 3],
    text: &str,
    change: impl FnOnce(&mut Facts<'a>),
) -> (&'static str, Vec<String>) {
    let mut facts = unlabelled(policy, way);
    change(&mut facts);
    let wire = label(text);
    let label = Some(&wire);
    codes(&policy.decide(NOW, &Facts { label, ..facts }))
}

pub(crate) fn deny(reasons: &[&str]) -> (&'static str, Vec<String>) {
    ("DENY", reasons.iter().map(|r| (*r).to_owned()).collect())
}

pub(crate) fn hold(missing: &[&str]) -> (&'static str, Vec<String>) {
    ("HOLD", missing.iter().map(|r| (*r).to_owned()).collect())
}

pub(crate) const PERMIT: (&str, Vec<String>) = ("PERMIT", Vec::new());
