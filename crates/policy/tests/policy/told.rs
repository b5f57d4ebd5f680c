//! What people are told: by the compiler, the linter, and in a refusal.

use std::time::Duration;

use kuriiri_policy::{Decision, Facts, NodeId, Reason};
use kuriiri_types::{Code, Timestamp};

use crate::example::{Files, NOW, facts, label};

#[test]
fn impossible_policies_do_not_compile() {
    let rule = |text: &str| {
        Files::shared().and_rules(&format!("\n[[rule]]\nid='x'\npolicy='FI'\n{text}\n"))
    };
    for (files, words) in [
        (rule("level='TL9'"), "rule `x`: `TL9` is not defined"),
        (rule("has='HANDLING:X'"), "`HANDLING:X` is not defined"),
        (rule("to='vm'"), "`vm` is not defined"),
        (rule("level='TL4'\nlevels=['TL3']"), "exclude each other"),
        (rule("retain_min='31 d'\nlevel='TL4'"), "retain_min"),
        (rule("seal='approved:A'\n[[rule]]\nid='y'\npolicy='FI'\nseal='approved:B'"), "encryptors"),
        (rule("").and_local("[[rule]]\nid='x'\npolicy='FI'\n"), "twice"),
        (Files::shared().replace("policy = \"TLP\"", "policy = \"ZZZ\""), "`ZZZ` is not defined"),
        (Files::shared().replace("governing = \"FI\"", "governing = \"XX\""), "node `sm`: `XX`"),
        (
            Files::shared().replace("\"REL:UM\", \"REL:EU\"", "\"REL:UN\""),
            "`REL:UN` is not defined",
        ),
        (Files::shared().replace("name    = \"TLP\"", "name    = \"EU\""), "`EU` stands twice"),
    ] {
        let error = files.compile().unwrap_err();
        assert!(error.contains(words), "{words}\n{error}");
    }
}

#[test]
fn oddities_are_found_before_signing() {
    let found = |files: Files| -> Vec<String> {
        files.policy().findings().iter().map(ToString::to_string).collect()
    };
    assert_eq!(found(Files::shared()), Vec::<String>::new());
    let files = Files::shared()
        .replace(
            "id = \"fi-salp\"\npolicy = \"FI\"\nlevel = \"SALP\"",
            "id = \"fi-salp\"\npolicy = \"FI\"",
        )
        .replace("\"COMPARTMENT:MERI\", ", "")
        .replace("\"SALP\", \"TL4\"]", "\"SALP\", \"TL4\", \"TL3\"]");
    let policy = files.policy();
    let serious = policy.findings().iter().filter(|f| f.is_serious()).count();
    assert_eq!(serious, 1);
    let all = found(files).join("\n");
    assert!(
        all.contains("`SALP`") && all.contains("COMPARTMENT:MERI") && all.contains("node `hub`"),
        "{all}"
    );
}

#[test]
fn each_oddity_is_told_by_itself() {
    let rule = |text: &str| {
        Files::shared().and_rules(&format!("\n[[rule]]\nid='x'\npolicy='FI'\n{text}\n"))
    };
    let replaced = |old: &str, new: &str| Files::shared().replace(old, new);
    for (files, serious, words) in [
        (
            replaced("en = \"PUBLIC\"", "en = \"SECURITY CLASS II SECRET\""),
            true,
            "`JULK` and `TL2` of FI have the same marking",
        ),
        (
            replaced("levels = [\"TL2\", \"TL1\"]\ntag", "levels = [\"TL2\"]\ntag"),
            true,
            "level `TL1` of FI does not require `REL`",
        ),
        (
            replaced("levels = [\"TL2\", \"TL1\"]\ntag", "levels = [\"TL1\"]\ntag"),
            true,
            "level `TL2` of FI does not require `REL`",
        ),
        (
            rule(
                "level='TL4'\nwindow='Mon 08:00-09:00'\n[[rule]]\nid='y'\npolicy='FI'\nwindow='Tue 08:00-09:00'",
            ),
            true,
            "no hour for level `TL4`",
        ),
        (
            replaced(", \"RED\"]\n  grants", "]\n  grants"),
            false,
            "nobody is cleared for level `RED`",
        ),
        (rule("has=['COMPARTMENT:MERI','REL:EU']"), false, "rule `x` speaks of labels"),
        (rule("level='JULK'\nhas='COMPARTMENT:RAJA'"), false, "rule `x` speaks of labels"),
        (rule("level='TL4'\nany=['COMPARTMENT:MERI']"), false, "rule `x` speaks of labels"),
    ] {
        let findings = files.policy().findings();
        let found: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(found.iter().any(|text| text.contains(words)), "{words}\n{found:?}");
        assert_eq!(findings.iter().any(|finding| finding.is_serious()), serious, "{found:?}");
    }
    let both = rule("any=['COMPARTMENT:MERI','REL:EU']").policy().findings();
    assert!(both.is_empty(), "one of the values may stand: {both:?}");
}

#[test]
fn reasons_speak_three_languages_and_leave_no_gaps() {
    let policy = Files::shared().policy();
    let mut seen: Vec<Reason> = Vec::new();
    for text in
        ["FI TL3 COMPARTMENT{MERI} REL{SM}", "FI TL9 X{Y}", "FI TL1", "XX Y", "EU TS-UE", "TLP RED"]
    {
        for dest in ["um", "hub", "vm"] {
            let wire = label(text);
            let mut facts = facts(&policy, ["plm", "hub", dest], &wire);
            (facts.sealed, facts.size, facts.expires) =
                (false, u64::MAX, Some(Timestamp::from_millis(0)));
            facts.onward = true;
            if let Decision::Deny(reasons) = policy.decide(NOW, &facts) {
                seen.extend(reasons);
            }
        }
    }
    for reason in &seen {
        let texts = kuriiri_policy::Lang::ALL.map(|lang| reason.text(lang));
        for text in &texts {
            assert!(text.ends_with('.') && !text.contains(['{', '}']), "{text}");
            assert!(!text.contains("  "), "{text}");
        }
        assert!(texts[0] != texts[1] && texts[1] != texts[2], "{texts:?}");
    }
    let codes: Vec<String> = seen.iter().map(Reason::code).collect();
    assert!(codes.iter().any(|c| c == "next:PERMISSIVE:REL") || codes.len() > 20, "{codes:?}");
    let archive = label("FI TL4");
    let decision = policy.decide(NOW, &facts(&policy, ["plm", "arkisto", "arkisto"], &archive));
    let Decision::Deny(reasons) = decision else {
        panic!("not denied");
    };
    let text = reasons[0].text(kuriiri_policy::Lang::En);
    let expected = "Node Class III archive is not cleared for level SECURITY CLASS IV RESTRICTED.";
    assert_eq!(text, expected);
}

#[test]
fn a_foreign_peer_learns_one_number() {
    let policy = Files::shared().policy();
    let coarse = |text, change: fn(&mut Facts<'_>)| {
        let wire = label(text);
        let mut facts = facts(&policy, ["plm", "um", "um"], &wire);
        change(&mut facts);
        policy.decide(NOW, &facts).coarse()
    };
    assert_eq!(coarse("FI TL4", |_| {}), None);
    assert_eq!(coarse("FI TL4", |f| f.size = u64::MAX), Some(Code::TOO_BIG));
    assert_eq!(
        coarse("FI TL4", |f| f.expires = Some(f.created.before(Duration::from_secs(1)))),
        Some(Code::EXPIRED)
    );
    assert_eq!(coarse("FI TL4", |f| (f.size, f.sealed) = (u64::MAX, false)), Some(Code::POLICY));
    assert_eq!(coarse("FI TL9", |_| {}), Some(Code::MALFORMED));
    assert_eq!(coarse("FI TL4", |f| f.dest = NodeId::UNKNOWN), Some(Code::UNKNOWN_RECIPIENT));
}
