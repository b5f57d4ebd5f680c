//! Every vector of the label policy: decision, complete reasons, effective label, obligations.

use std::time::Duration;

use crate::example::{DIGEST, Files, codes, node};
use kuriiri_policy::{
    Acceptance, Alternative, Approval, Candidate, Catalogue, Facts, Lang, NodeId, Policy, TagKind,
    Use, Version, accept, admits, sole_label,
};
use kuriiri_types::{Category, Digest, MessageType, Timestamp, WireLabel};
use serde_json::Value;

const VECTORS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/labels/vectors.json"));

#[test]
fn all_vectors_hold() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 68);
    let policy = Files::shared().policy();
    let mut wrong = Vec::new();
    for case in cases {
        let (input, expect) = (&case["in"], &case["expect"]);
        let result = match case["kind"].as_str().unwrap() {
            "admits" => check_admits(&policy, input, expect),
            "decide" => check_decide(input, expect),
            "join" => check_join(&policy, input, expect),
            "bundle" => check_bundle(input, expect),
            "marking" => check_marking(&policy, input, expect),
            other => Err(format!("unknown kind {other}")),
        };
        if let Err(why) = result {
            wrong.push(format!("{}: {why}", case["id"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn same<T: PartialEq + std::fmt::Debug>(found: T, expected: T) -> Result<(), String> {
    (found == expected)
        .then_some(())
        .ok_or_else(|| format!("found {found:?}, expected {expected:?}"))
}

fn check_admits(policy: &Policy, input: &Value, expect: &Value) -> Result<(), String> {
    let catalogue = policy.catalogue(text(&input["policy"])).unwrap();
    let held = &input["clearance"];
    let clearance = catalogue.clearance(&texts(&held["levels"]), &texts(&held["grants"])).unwrap();
    let wire = wire_label(&input["label"], catalogue.name());
    let kinds = input["label"]["categories"].as_array().into_iter().flatten();
    let claimed = kinds.filter_map(|c| Some((text(&c["tag"]), c["type"].as_str()?)));
    let mut checked = Ok(());
    for (tag, kind) in claimed {
        checked = checked.and_then(|()| catalogue.check_kind(tag, tag_kind(kind)));
    }
    let use_ = use_of(input);
    let read = || catalogue.resolve(&wire, use_, seconds(0), Duration::ZERO);
    let resolved = checked.and_then(|()| read());
    let reasons = match resolved {
        Err(invalid) => invalid.faults().iter().map(|f| f.code().to_owned()).collect(),
        Ok(label) => match admits(catalogue, &label, &clearance) {
            Ok(()) => Vec::new(),
            Err(shortfall) => shortfall.codes(catalogue),
        },
    };
    let decision = if reasons.is_empty() { "PERMIT" } else { "DENY" };
    same((decision, reasons), (text(&expect["decision"]), texts(&expect["reasons"])))
}

fn check_decide(input: &Value, expect: &Value) -> Result<(), String> {
    let policy = files_for(input).policy();
    let found = |key: &str| input.get(key).map(|id| node(&policy, text(id)));
    let written = &input["label"];
    let several = written.as_array().map(Vec::as_slice);
    let several = several.unwrap_or_else(|| std::slice::from_ref(written));
    let given = several.iter().filter(|label| !label.is_null());
    let labels: Vec<WireLabel> = given.map(|label| wire_label(label, "")).collect();
    let sole = sole_label(&labels).map_err(|invalid| invalid.faults()[0].code());
    let Ok(label) = sole else {
        let found = ("DENY", vec![sole.unwrap_err().to_owned()]);
        return same(found, (text(&expect["decision"]), texts(&expect["reasons"])));
    };
    let alternatives = list(&input["alternatives"]);
    let written: Vec<WireLabel> = alternatives.iter().map(|a| wire_label(a, "")).collect();
    let pairs = written.iter().zip(alternatives);
    let alternatives: Vec<_> =
        pairs.map(|(label, a)| Alternative { label, signer: text(&a["signer"]) }).collect();
    let approvals: Vec<_> =
        list(&input["approvals"]).iter().map(|a| approval(&policy, input, a)).collect();
    let path: Vec<NodeId> = list(&input["path"]).iter().map(|id| node(&policy, text(id))).collect();
    let skew = &input["label"]["succession"]["skew"];
    let now = seconds(input["now"].as_i64().unwrap_or(0));
    let decision = policy.decide(
        now,
        &Facts {
            at: found("at").unwrap(),
            origin: found("origin").unwrap(),
            prev: found("prev"),
            next: found("next"),
            dest: found("dest").unwrap(),
            path: &path,
            verified: true,
            label,
            alternatives: &alternatives,
            originating: use_of(input) == Use::Origination,
            person: None,
            sealed: input["sealed"].as_bool().unwrap(),
            size: input["size"].as_u64().unwrap_or(0),
            created: seconds(input["created"].as_i64().unwrap_or(0)),
            expires: input["expires"].as_i64().map(seconds),
            precedence: input["precedence"].as_str().unwrap_or("ROUTINE").parse().unwrap(),
            message_type: match input["type"].as_str() {
                Some("exercise") => MessageType::Exercise,
                Some("drill") => MessageType::Drill,
                _ => MessageType::Operation,
            },
            skew: Duration::from_secs(skew.as_u64().unwrap_or(0)),
            digest: Some(digest(input["digest"].as_str().unwrap_or("d0"))),
            approvals: &approvals,
            drafter: input["drafter"].as_str(),
            onward: input["onward"].as_bool().unwrap_or(false),
            consent: input["consent"].as_bool().unwrap_or(false),
        },
    );
    let expected = (text(&expect["decision"]), texts(&expect["reasons"]));
    let (word, reasons) = codes(&decision);
    same((word, reasons), expected)?;
    if let Some(level) = expect["level"].as_str() {
        let label = decision.obligations().unwrap().label;
        same(policy.catalogue_of(&label).unwrap().level_id(&label), Some(level))?;
    }
    if let Some(onward) = expect["obligations"]["onward"].as_str() {
        same(decision.obligations().unwrap().onward.as_str(), onward)?;
    }
    if let Some(markers) = expect["obligations"].get("markers") {
        let found = policy.markers(decision.obligations().unwrap());
        same(found.map(|m| m.rule().to_owned()).collect(), texts(markers))?;
    }
    Ok(())
}

fn check_join(policy: &Policy, input: &Value, expect: &Value) -> Result<(), String> {
    let catalogue = policy.catalogue(text(&input["policy"])).unwrap();
    let labels: Vec<_> = list(&input["labels"])
        .iter()
        .map(|l| resolve(catalogue, &wire_label(l, catalogue.name())))
        .collect();
    let joined = catalogue.join(&labels);
    let word = if joined.is_ok() { "PERMIT" } else { "HOLD" };
    same(word, text(&expect["decision"]))?;
    match (joined, expect.get("label")) {
        (Ok(label), Some(expected)) => {
            let expected = wire_label(expected, catalogue.name());
            same(catalogue.write(&label).unwrap().to_string(), expected.to_string())
        }
        _ => Ok(()),
    }
}

fn check_bundle(input: &Value, expect: &Value) -> Result<(), String> {
    let version = |v: &Value| Version {
        serial: v["serial"].as_u64().unwrap(),
        digest: digest(text(&v["digest"])),
    };
    let new = &input["new"];
    let flag = |key: &str| new[key].as_bool().unwrap_or(false);
    let candidate = Candidate {
        version: version(new),
        expires: new["expires"].as_i64().map(seconds),
        signature_ok: flag("signature_ok"),
        signers: u32::try_from(new["signers"].as_u64().unwrap_or(1)).unwrap(),
        lint_ok: flag("lint_ok"),
        tests_ok: flag("tests_ok"),
        widens: flag("widens"),
    };
    let now = seconds(input["now"].as_i64().unwrap());
    let found: Acceptance = accept(now, Some(version(&input["current"])), &candidate);
    same(found.code(), text(&expect["decision"]))
}

fn check_marking(policy: &Policy, input: &Value, expect: &Value) -> Result<(), String> {
    let catalogue = policy.catalogue(text(&input["policy"])).unwrap();
    let lang: Lang = text(&input["lang"]).parse().unwrap();
    let label = resolve(catalogue, &wire_label(&input["label"], catalogue.name()));
    same(catalogue.marking(&label, lang).as_str(), text(&expect["text"]))
}

// === reading the vectors ===

/// The shared files, with the changes that a vector asks for.
fn files_for(input: &Value) -> Files {
    let mut files = Files::shared();
    let disabled = texts(&input["disable_rules"]);
    if !disabled.is_empty() {
        let mut rules: toml::Table = files.rules.parse().unwrap();
        let list = rules["rule"].as_array_mut().unwrap();
        list.retain(|rule| !disabled.contains(&rule["id"].as_str().unwrap().to_owned()));
        files.rules = rules.to_string();
    }
    for (id, revised) in input["revised_clearance"].as_object().into_iter().flatten() {
        let mut federation: toml::Table = files.federation.parse().unwrap();
        for node in federation["node"].as_array_mut().unwrap() {
            if node["id"].as_str() == Some(id) {
                let clearance = &mut node["clearance"][0];
                for key in ["levels", "grants"] {
                    let names = texts(&revised[key]).into_iter().map(toml::Value::from);
                    clearance[key] = toml::Value::Array(names.collect());
                }
            }
        }
        files.federation = federation.to_string();
    }
    files
}

/// A label as the vectors write it; the policy stands outside of it in some.
fn wire_label(value: &Value, policy: &str) -> WireLabel {
    let policy = value["policy"].as_str().unwrap_or(policy);
    let mut label = WireLabel::plain(policy, text(&value["level"]));
    for category in list(&value["categories"]) {
        label.categories.push(Category {
            tag: text(&category["tag"]).into(),
            values: texts(&category["values"]),
        });
    }
    if let Some(succession) = value.get("succession") {
        let at = seconds(succession["at"].as_i64().unwrap());
        let next = wire_label(&succession["label"], policy);
        label.succession = Some(Box::new((at, next)));
    }
    label.privacy_mark = value["privacy_mark"].as_str().unwrap_or("").into();
    label
}

fn approval<'a>(policy: &Policy, input: &Value, value: &'a Value) -> Approval<'a> {
    let place = value.get("node").unwrap_or_else(|| &input["origin"]);
    Approval {
        officer: text(&value["officer"]),
        node: node(policy, text(place)),
        digest: digest(text(&value["digest"])),
        until: value["until"].as_i64().map(seconds),
        roles: &[],
    }
}

fn resolve(catalogue: &Catalogue, wire: &WireLabel) -> kuriiri_policy::Label {
    catalogue.resolve(wire, Use::Carriage, seconds(0), Duration::ZERO).unwrap()
}

fn use_of(input: &Value) -> Use {
    match input["originating"].as_bool() {
        Some(true) => Use::Origination,
        _ => Use::Carriage,
    }
}

fn tag_kind(word: &str) -> TagKind {
    match word {
        "RESTRICTIVE" => TagKind::Restrictive,
        "PERMISSIVE" => TagKind::Permissive,
        _ => TagKind::Informative,
    }
}

fn digest(name: &str) -> Digest {
    let mut bytes = DIGEST.0;
    for (byte, letter) in bytes.iter_mut().zip(name.bytes()) {
        *byte = letter;
    }
    Digest(bytes)
}

fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn texts(value: &Value) -> Vec<String> {
    list(value).iter().map(|entry| text(entry).to_owned()).collect()
}
