//! The decision of the model on one step of one message.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Answer, Mistake, Model, Written, flag, list, text, texts};

/// What the rules ask, merged.
#[derive(Default)]
struct Asked {
    covered: bool,
    forbid: bool,
    seal: bool,
    /// By how strict: no, sealed, clear.
    transit: Option<usize>,
    approvals: u64,
    max_size: Option<u64>,
    ttl: Option<i64>,
    max_hops: Option<u64>,
    onward: Option<usize>,
    precedence_max: Option<usize>,
}

const PRECEDENCES: [&str; 6] =
    ["DEFERRED", "ROUTINE", "PRIORITY", "IMMEDIATE", "FLASH", "OVERRIDE"];

impl Model {
    pub(super) fn decide_case(&self, input: &Value) -> Answer {
        let changed = self.changed(input);
        match changed.effective(input) {
            Err(reasons) => ("DENY".into(), reasons, None),
            Ok(label) => changed.decide(input, &label),
        }
    }

    /// The files with the changes that the case asks for.
    fn changed(&self, input: &Value) -> Self {
        let mut model = self.clone();
        let disabled = texts(&input["disable_rules"]);
        model.rules.retain(|rule| !disabled.contains(text(&rule["id"])));
        for (id, held) in input["revised_clearance"].as_object().into_iter().flatten() {
            for node in model.federation["node"].as_array_mut().unwrap() {
                if node["id"] == id.as_str() && !self.makes(Mistake::DecidedOnce) {
                    node["clearance"][0]["levels"] = held["levels"].clone();
                    node["clearance"][0]["grants"] = held["grants"].clone();
                }
            }
        }
        model
    }

    // === which label counts ===

    fn effective(&self, input: &Value) -> Result<Written, Vec<String>> {
        let refused = |code: &str| Err(vec![code.to_owned()]);
        if self.node(&input["at"]).is_none() {
            return refused("UNKNOWN_NODE");
        }
        let given = &input["label"];
        if given.as_array().is_some_and(|labels| labels.len() > 1) {
            return if self.makes(Mistake::FirstLabelTaken) {
                Ok(Written::read(&given[0]))
            } else {
                refused("MALFORMED")
            };
        }
        let alternatives = list(&input["alternatives"]);
        let signed = |alternative: &&Value| {
            self.makes(Mistake::AnyTranslator) || alternative["signer"] == self.table["signed_by"]
        };
        let trusted = alternatives.iter().find(|a| a["policy"] == "FI" && signed(a));
        if self.makes(Mistake::AlternativePreferred)
            && let Some(alternative) = trusted
        {
            return Ok(Written::read(alternative));
        }
        if self.makes(Mistake::MarkingParsed) && given["marking"] == "TL IV" {
            return Ok(Written { policy: "FI".into(), level: "TL4".into(), ..Written::default() });
        }
        if given.is_null() || text(&given["level"]).is_empty() {
            return refused("UNLABELLED");
        }
        let label = Written::read(given);
        match label.policy.as_str() {
            "FI" => self.in_force(input, label),
            "EU" => self.translated(input, &label, trusted),
            // The other policy that has rules of its own.
            "TLP" => self.valid(input, label),
            _ if twice(alternatives) => refused("MALFORMED"),
            _ => trusted
                .map_or_else(|| refused("POLICY_UNKNOWN"), |a| self.valid(input, Written::read(a))),
        }
    }

    fn valid(&self, input: &Value, label: Written) -> Result<Written, Vec<String>> {
        let catalogue = self.catalogue(&label.policy).unwrap();
        let faults = self.invalid(catalogue, &label, flag(&input["originating"]));
        if faults.is_empty() { Ok(label) } else { Err(faults) }
    }

    fn in_force(&self, input: &Value, label: Written) -> Result<Written, Vec<String>> {
        let old = self.valid(input, label)?;
        let succession = &input["label"]["succession"];
        if succession.is_null() {
            return Ok(old);
        }
        let number = |value: &Value| value.as_i64().unwrap_or(0);
        let (now, at) = (number(&input["now"]), number(&succession["at"]));
        let skew = if self.makes(Mistake::SkewIgnored) { 0 } else { number(&succession["skew"]) };
        let mut new = Written::read(&succession["label"]);
        new.policy.clone_from(&old.policy);
        if now >= at + skew && !self.makes(Mistake::SuccessionIgnored) {
            return Ok(new);
        }
        if now < at - skew {
            return Ok(if self.makes(Mistake::SuccessorEarly) { new } else { old });
        }
        let joined = self.join(self.catalogue("FI").unwrap(), &[old, new]);
        joined.ok_or_else(|| vec!["SUCCESSION_UNCERTAIN".into()])
    }

    fn translated(
        &self,
        input: &Value,
        label: &Written,
        claim: Option<&Value>,
    ) -> Result<Written, Vec<String>> {
        let refused = || Err(vec!["TRANSLATION_REFUSED".to_owned()]);
        let label = self.valid(input, label.clone())?;
        let mut tags: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut add = |name: &str| {
            let (tag, value) = name.split_once(':').unwrap();
            tags.entry(tag.into()).or_default().insert(value.into());
        };
        texts(&self.table["adds"]).iter().for_each(|value| add(value));
        for (tag, values) in &label.tags {
            let mut kept = 0;
            for value in values {
                let target = &self.table["category"][format!("{tag}:{value}")];
                if target == "refuse" || target.is_null() {
                    return refused();
                }
                let targets = list(target);
                kept += targets.len();
                targets.iter().for_each(|target| add(text(target)));
            }
            if tag == "REL" && kept == 0 && !self.makes(Mistake::AudienceVanishes) {
                return refused();
            }
        }
        let level = text(&self.table["level"][&label.level]);
        let level = match level {
            "refuse" if self.makes(Mistake::RefusalMapped) => "TL1",
            "refuse" => return refused(),
            level => level,
        };
        let translated =
            Written { policy: "FI".into(), level: level.into(), tags, ..Written::default() };
        match claim.map(Written::read) {
            Some(claim) if claim.level != translated.level => {
                Err(vec!["ALTERNATIVE_DISAGREES".into()])
            }
            _ => Ok(translated),
        }
    }

    // === rules ===

    fn asked(&self, input: &Value, label: &Written) -> Asked {
        let mut asked = Asked::default();
        let mut matched = 0;
        for rule in self.rules.iter().filter(|rule| self.matches(rule, input, label)) {
            matched += 1;
            if matched > 1 && self.makes(Mistake::FirstRuleWins) {
                break;
            }
            let loosest = self.makes(Mistake::LoosestRuleWins);
            let covers = ["level", "levels", "at_least"].iter().any(|key| !rule[key].is_null());
            asked.covered |= covers;
            asked.forbid |= flag(&rule["forbid"]);
            asked.seal |= flag(&rule["seal"]);
            let approvals = rule["approvals"].as_u64();
            asked.approvals = match approvals {
                Some(n) if loosest && asked.approvals > 0 => asked.approvals.min(n),
                Some(n) => asked.approvals.max(n),
                None => asked.approvals,
            };
            let place = |key: &str, words: &[&str]| {
                let word = text(&rule[key]).to_owned();
                words.iter().position(|known| *known == word)
            };
            let least =
                |a: &mut Option<usize>, b: Option<usize>| *a = a.iter().copied().chain(b).min();
            least(&mut asked.transit, place("transit", &["no", "sealed", "clear"]));
            least(&mut asked.onward, place("onward", &["never", "originator-consent", "free"]));
            least(&mut asked.precedence_max, place("precedence_max", &PRECEDENCES));
            let size = rule["max_size"].as_str().map(quantity);
            asked.max_size = asked.max_size.into_iter().chain(size).min();
            let ttl = rule["ttl"].as_str().map(|text| i64::try_from(quantity(text)).unwrap());
            asked.ttl = asked.ttl.into_iter().chain(ttl).min();
            asked.max_hops = asked.max_hops.into_iter().chain(rule["max_hops"].as_u64()).min();
        }
        asked
    }

    fn matches(&self, rule: &Value, input: &Value, label: &Written) -> bool {
        let has = |name: &String| {
            let (tag, value) = name.split_once(':').unwrap();
            label.tags.get(tag).is_some_and(|values| values.contains(value))
        };
        let kind = input["type"].as_str().unwrap_or("operation");
        let any = texts(&rule["any"]);
        rule["policy"] == label.policy.as_str()
            && (rule["level"].is_null() || rule["level"] == label.level.as_str())
            && (rule["levels"].is_null() || texts(&rule["levels"]).contains(&label.level))
            && texts(&rule["has"]).iter().all(has)
            && (any.is_empty() || any.iter().any(has))
            && (rule["message_type"].is_null() || rule["message_type"] == kind)
    }

    // === gates and limits ===

    fn decide(&self, input: &Value, label: &Written) -> Answer {
        let level = Some(label.level.clone());
        let asked = self.asked(input, label);
        let mut reasons = self.handling(input, &asked);
        self.gates(input, label, &mut reasons);
        self.limits(input, &asked, &mut reasons);
        if self.makes(Mistake::FlashOverrides) && input["precedence"] == "FLASH" {
            reasons.clear();
        }
        if self.makes(Mistake::FirstReasonOnly) {
            reasons.truncate(1);
        }
        if !reasons.is_empty() {
            return ("DENY".into(), reasons, level);
        }
        let missing = self.missing(input, &asked);
        let word = match missing.is_empty() {
            true => "PERMIT",
            false if self.makes(Mistake::HoldIsPermit) => "PERMIT",
            false if self.makes(Mistake::HoldIsDeny) || input["at"] != input["origin"] => "DENY",
            false => "HOLD",
        };
        (word.into(), missing, level)
    }

    fn passes_hub(&self, input: &Value) -> bool {
        let end = |node: &Value| *node == input["origin"] || *node == input["dest"];
        let next = !input["next"].is_null() && input["next"] != input["dest"];
        let prev = !input["prev"].is_null() && input["prev"] != input["origin"];
        next || prev || !end(&input["at"]) || !list(&input["path"]).iter().all(end)
    }

    fn handling(&self, input: &Value, asked: &Asked) -> Vec<String> {
        let mut reasons = Vec::new();
        if asked.forbid && !self.makes(Mistake::ForbidIgnored) {
            reasons.push("FORBIDDEN");
        }
        if !asked.covered && !self.makes(Mistake::NoRuleIsFree) {
            reasons.push("NO_RULE");
        }
        let transit = asked.transit.unwrap_or(0);
        let hub = asked.covered && self.passes_hub(input);
        if hub && transit == 0 {
            reasons.push("TRANSIT_FORBIDDEN");
        }
        let at_origin = input["at"] == input["origin"];
        let seal = asked.seal || (hub && transit == 1);
        let checks = at_origin || !self.makes(Mistake::HubTrustsOrigin);
        if seal && !flag(&input["sealed"]) && checks && !self.makes(Mistake::SealIgnored) {
            reasons.push("SEAL_REQUIRED");
        }
        reasons.into_iter().map(Into::into).collect()
    }

    fn gates(&self, input: &Value, label: &Written, reasons: &mut Vec<String>) {
        let sealed = flag(&input["sealed"]);
        self.gate("origin", &input["origin"], "clearance", label, reasons);
        let carrier = match sealed && !self.makes(Mistake::HubMustRead) {
            true => "carriage",
            false => "clearance",
        };
        if !input["prev"].is_null() && input["prev"] != input["origin"] {
            self.gate("prev", &input["prev"], carrier, label, reasons);
        }
        let next = &input["next"];
        if !next.is_null() && next != &input["dest"] {
            match self.node(next) {
                Some(node) if !flag(&node["transit"]) => reasons.push("next:NOT_TRANSIT".into()),
                _ => self.gate("next", next, carrier, label, reasons),
            }
        }
        let direct = next == &input["dest"];
        if direct || !self.makes(Mistake::DestinationLater) {
            let held = if sealed && self.makes(Mistake::SealedIsOpenToAll) {
                "carriage"
            } else {
                "clearance"
            };
            self.gate("dest", &input["dest"], held, label, reasons);
        }
    }

    fn gate(
        &self,
        gate: &str,
        node: &Value,
        held: &str,
        label: &Written,
        reasons: &mut Vec<String>,
    ) {
        let Some(node) = self.node(node) else {
            if !self.makes(Mistake::UnknownNodeSkipped) {
                reasons.push("UNKNOWN_NODE".into());
            }
            return;
        };
        let held = list(&node[held]).iter().find(|held| held["policy"] == label.policy.as_str());
        let catalogue = self.catalogue(&label.policy).unwrap();
        let lacks = self.lacks(catalogue, label, held.unwrap_or(&Value::Null));
        reasons.extend(lacks.into_iter().map(|lack| format!("{gate}:{lack}")));
    }

    fn node(&self, id: &Value) -> Option<&Value> {
        list(&self.federation["node"]).iter().find(|node| &node["id"] == id)
    }

    fn limits(&self, input: &Value, asked: &Asked, reasons: &mut Vec<String>) {
        let mut note = |failed: bool, code: &str, mistake: Mistake| {
            if failed && !self.makes(mistake) {
                reasons.push(code.into());
            }
        };
        let size = input["size"].as_u64().unwrap_or(0);
        note(asked.max_size.is_some_and(|max| size > max), "TOO_BIG", Mistake::SizeIgnored);
        let now = input["now"].as_i64().unwrap_or(0);
        let created = input["created"].as_i64().unwrap_or(now);
        let old = asked.ttl.is_some_and(|ttl| now > created.saturating_add(ttl));
        let late = input["expires"].as_i64().is_some_and(|at| now > at);
        note(old || late, "EXPIRED", Mistake::LateDelivered);
        let path = list(&input["path"]);
        let arrived = input["at"] == input["dest"] && path.last() == Some(&input["at"]);
        let hops = path.len() - usize::from(arrived);
        let most = asked.max_hops.unwrap_or(8).min(8);
        note(hops as u64 > most, "HOPS", Mistake::HopsIgnored);
        // A node that nobody knows is not told from another.
        let known = |node: &&Value| self.node(node).is_some();
        let nodes: Vec<&Value> = path.iter().filter(known).collect();
        let next = &input["next"];
        let returns = self.node(next).is_some() && (*next == input["at"] || path.contains(next));
        let twice = nodes.iter().enumerate().any(|(place, node)| nodes[..place].contains(node));
        note(returns || twice, "LOOP", Mistake::LoopsAllowed);
        let urgent = |word: &str| PRECEDENCES.iter().position(|known| *known == word);
        let given = urgent(input["precedence"].as_str().unwrap_or("ROUTINE"));
        let capped = asked.precedence_max.is_some_and(|max| given > Some(max));
        note(capped, "PRECEDENCE", Mistake::PrecedenceUncapped);
        let never = flag(&input["onward"]) && asked.onward == Some(0);
        note(never, "ONWARD_FORBIDDEN", Mistake::OnwardFree);
    }

    // === people ===

    fn missing(&self, input: &Value, asked: &Asked) -> Vec<String> {
        let mut missing = Vec::new();
        let now = input["now"].as_i64().unwrap_or(0);
        let digest = input["digest"].as_str().unwrap_or("d0");
        let counts = |approval: &&Value| {
            let node = approval.get("node").unwrap_or_else(|| &input["origin"]);
            let valid = approval["until"].as_i64().is_none_or(|until| now <= until);
            (node == &input["origin"] || self.makes(Mistake::AnyMinistryApproves))
                && (approval["digest"] == digest || self.makes(Mistake::EditKeepsApprovals))
                && (valid || self.makes(Mistake::StaleApproval))
                && (approval["officer"] != input["drafter"] || self.makes(Mistake::DrafterApproves))
        };
        let counted = list(&input["approvals"]).iter().filter(counts);
        let officers: Vec<&str> = counted.map(|approval| text(&approval["officer"])).collect();
        let people: BTreeSet<&str> = officers.iter().copied().collect();
        let twice = self.makes(Mistake::SameOfficerTwice);
        let have = if twice { officers.len() } else { people.len() } as u64;
        if have < asked.approvals {
            missing.push(format!("APPROVALS:{have}/{}", asked.approvals));
        }
        let asks = flag(&input["onward"]) && asked.onward == Some(1);
        if asks && !flag(&input["consent"]) && !self.makes(Mistake::OnwardFree) {
            missing.push("ORIGINATOR_CONSENT".into());
        }
        missing
    }
}

fn twice(alternatives: &[Value]) -> bool {
    let policies: BTreeSet<&str> = alternatives.iter().map(|a| text(&a["policy"])).collect();
    policies.len() != alternatives.len()
}

/// Bytes or seconds.
fn quantity(written: &str) -> u64 {
    let (number, unit) = written.split_once(' ').unwrap();
    let factor = match unit {
        "MiB" => 1 << 20,
        "d" => 24 * 3600,
        "h" => 3600,
        _ => panic!("{written}"),
    };
    number.parse::<u64>().unwrap() * factor
}
