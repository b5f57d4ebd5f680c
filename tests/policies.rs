//! The commands with which officers ask, test and compare policies, without any relay.

use std::{fs, path::Path};

use serde_json::Value;
use tempfile::TempDir;

use crate::federation::{kuriiri, succeeded};

/// The example files of the label policy.
const LABELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/labels");

/// A copy of the example files, one of them changed.
fn changed(name: &str, from: &str, to: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(LABELS).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let file = path.file_name().unwrap();
        let text = if file == name {
            assert!(text.contains(from), "{name} has `{from}`");
            text.replacen(from, to, 1)
        } else {
            text
        };
        fs::write(folder.path().join(file), text).unwrap();
    }
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn json(args: &[&str]) -> (i32, Vec<Value>) {
    let output = kuriiri(&[&["--json"], args].concat());
    let said = String::from_utf8(output.stdout).unwrap();
    let lines = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code().unwrap(), lines)
}

#[test]
fn all_vectors_hold_and_a_wrong_one_shows_what_was_expected_and_what_came() {
    let vectors = format!("{LABELS}/vectors.json");
    let (code, said) = json(&["policy", "test", "--dir", LABELS, &vectors]);
    assert_eq!((code, said.len()), (0, 1));
    assert_eq!((&said[0]["cases"], &said[0]["held"]), (&68.into(), &68.into()));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    let cases = r#"
        [[test]]
        name = "class three never by the hub"
        from = "sm"
        to = "plm"
        via = "hub"
        label = "FI TL3"
        sealed = true
        expect = "deny"
        reasons = ["TRANSIT_FORBIDDEN", "next:LEVEL"]
        [[test]]
        name = "a wish"
        from = "sm"
        to = "plm"
        label = "FI TL3"
        sealed = true
        expect = "permit"
    "#;
    fs::write(&file, cases).unwrap();
    let output = kuriiri(&["policy", "test", "--dir", LABELS, text(&file)]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("FAILED  a wish") && said.contains("1 of 2 cases hold"), "{said}");
    assert!(said.contains("PERMIT") && said.contains("HOLD"), "expected and got: {said}");

    fs::write(&file, "").unwrap();
    assert_ne!(json(&["policy", "test", "--dir", LABELS, text(&file)]).0, 0, "none proves nothing");
    fs::write(&file, "[[test]]\nname = 3").unwrap();
    assert_ne!(json(&["policy", "test", "--dir", LABELS, text(&file)]).0, 0);
}

#[test]
fn a_folder_is_checked_whole() {
    let good = succeeded(&kuriiri(&["policy", "check", LABELS]));
    assert!(good.contains("6 files, 0 wrong"), "{good}");
    let gap = changed("policy.toml", "level = \"SALP\"", "level = \"TL4\"");
    let (code, said) = json(&["policy", "check", text(gap.path())]);
    assert_eq!(code, 1);
    let finding = said.iter().find(|line| line["event"] == "finding").unwrap();
    assert_eq!(finding["serious"], true);
    assert!(finding["text"].as_str().unwrap().contains("SALP"), "{finding}");
    let own_test = "serial = 42\n[[test]]\nname = \"a wish\"\nfrom = \"sm\"\nto = \"um\"\n\
                    label = \"FI TL1\"\nexpect = \"permit\"\n";
    let wish = changed("policy.toml", "serial = 42\n", own_test);
    let (code, said) = json(&["policy", "check", text(wish.path())]);
    assert_eq!((code, &said.last().unwrap()["failed"]), (1, &1.into()));
    let typo = changed("policy.toml", "transit = \"clear\"", "transmit = \"clear\"");
    let output = kuriiri(&["policy", "check", text(typo.path())]);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(complaint.contains("policy.toml") && complaint.contains("transmit"), "{complaint}");
}

#[test]
fn a_difference_is_exact_and_says_whether_it_widens() {
    let compare = |from: &str, to: &str| {
        let new = changed("policy.toml", from, to);
        let (code, said) = json(&["policy", "diff", LABELS, text(new.path())]);
        assert_eq!(code, 0);
        said[0].clone()
    };
    let same = compare("serial = 42", "serial = 43");
    assert_eq!((&same["widens"], &same["changes"]), (&false.into(), &Value::Array(Vec::new())));
    let tighter = compare("\"256 MiB\"", "\"1 MiB\"");
    assert_eq!(tighter["widens"], false);
    assert_ne!(tighter["changes"], Value::Array(Vec::new()));
    assert_eq!(compare("\"256 MiB\"", "\"512 MiB\"")["widens"], true);
    assert_eq!(compare("transit = \"sealed\"", "transit = \"clear\"")["widens"], true);
    assert_eq!(compare("approvals = 2", "approvals = 1")["widens"], true);
}

#[test]
fn officers_get_answers_in_their_language_with_names_and_values() {
    let ask = |lang: &str| {
        let args = ["explain", "--dir", LABELS, "--from", "sm", "--to", "plm", "--via", "hub"];
        let more = ["--label", "FI TL3 COMPARTMENT{KIDE}", "--sealed", "--lang", lang];
        succeeded(&kuriiri(&[&args[..], &more].concat()))
    };
    let english = ask("en");
    for part in ["DENIED", "fi-tl3", "Ministry of the Interior", "COMPARTMENT:RAJA", "KIDE"] {
        assert!(english.contains(part), "{part}: {english}");
    }
    assert!(ask("fi").contains("Sisäministeriö") && ask("sv").contains("Inrikesministeriet"));

    let (_, said) = json(&["who", "--dir", LABELS, "--label", "FI TL3 REL{PLM}"]);
    let nodes = said[0]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 5);
    let (code, said) = json(&["what", "--dir", LABELS, "--from", "sm", "--to", "um"]);
    assert_eq!(code, 0);
    assert!(said[0].to_string().contains("TL4"));
    let output = kuriiri(&["what", "--dir", LABELS, "--from", "sm", "--to", "uum"]);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(complaint.contains("um"), "the nearest name: {complaint}");
}

#[test]
fn recorded_decisions_are_taken_again_under_new_rules() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("past.jsonl");
    let record = r#"{"id":"m1","semantics":1,"decision":"permit","case":{"now":1795000000000,"created":1795000000000,"at":"sm","origin":"sm","next":"plm","dest":"plm","sealed":true,"label":LABEL}}"#;
    let label = |level: &str| serde_json::to_string(&label(level)).unwrap();
    let lines = ["TL4", "JULK"].map(|level| record.replace("LABEL", &label(level)));
    fs::write(&file, lines.join("\n")).unwrap();
    let rehearse = |folder: &str| {
        let (code, said) = json(&["policy", "rehearse", folder, "--records", text(&file)]);
        assert_eq!(code, 0);
        said
    };
    let said = rehearse(LABELS);
    assert_eq!((&said[0]["decided"], &said[0]["changed"]), (&2.into(), &0.into()), "{said:?}");
    let new = changed("policy.toml", "id = \"fi-tl4\"", "id = \"fi-tl4\"\napprovals = 1");
    let said = rehearse(text(new.path()));
    assert_eq!((said.len(), &said[0]["now"]), (2, &"hold".into()), "{said:?}");
    assert_eq!((&said[1]["changed"], &said[1]["wider"]), (&1.into(), &0.into()));
}

fn label(level: &str) -> kuriiri_types::WireLabel {
    format!("FI {level}").parse().unwrap()
}
