//! Explanations: complete, readable, and never of another opinion than the decision.

use kuriiri_policy::{Case, Explanation, InForce, LabelSource, Lang, Word};
use kuriiri_types::{Timestamp, WireLabel};
use proptest::prelude::*;

use crate::{
    example::{Files, NOW, label},
    properties::{SHARED, any_message},
};

fn case(from: &str, to: &str, text: &str) -> Case {
    Case { sealed: true, ..Case::new(NOW, from, to, Some(label(text))) }
}

fn told(explanation: &Explanation, lang: Lang) -> String {
    explanation.render(lang).join("\n")
}

#[test]
fn an_officer_reads_why_the_hub_may_not_carry_it() {
    let policy = Files::shared().policy();
    let asked = Case { next: Some("hub".into()), ..case("sm", "plm", "FI TL3 REL{PLM,SM}") };
    let explanation = policy.explain(&asked).unwrap();
    let codes: Vec<&str> = explanation.reasons.iter().map(|r| r.code.as_str()).collect();
    assert_eq!(
        (explanation.decision, codes),
        (Word::Deny, vec!["TRANSIT_FORBIDDEN", "next:LEVEL"])
    );
    let text = told(&explanation, Lang::En);
    for words in [
        "DENIED",
        "✗ Level SECURITY CLASS III CONFIDENTIAL must go directly to the recipient.",
        "in force: FI TL3 REL{PLM,SM} – SECURITY CLASS III CONFIDENTIAL RELEASABLE TO: SM, PLM",
        "fi-tl3: must be sealed end to end; directly to the recipient, no hub; releasing officers needed: 1",
        "✓ origin: Ministry of the Interior (sm), clearance",
        "✗ hub: Government network hub (hub), carriage",
        "needs: TL3 REL{SM,PLM}",
        "holds: JULK SALP TL4 COMPARTMENT:RAJA",
        "✗ way: hub (allowed: direct)",
        "✓ size: 0 B (allowed: 32 MiB)",
        "… releases by officers: 0/1",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    let fi = told(&explanation, Lang::Fi);
    assert!(fi.starts_with("KIELLETTY\n  ✗ Luokka TL III"), "{fi}");
    assert!(told(&explanation, Lang::Sv).starts_with("NEKAT"));
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!(json["gates"][1]["lacks"][0]["code"], "next:LEVEL");
    assert_eq!(json["reasons"][0]["text"]["fi"], explanation.reasons[0].text.pick(Lang::Fi));
}

#[test]
fn where_the_label_comes_from_is_said() {
    let policy = Files::shared().policy();
    let translated = policy.explain(&case("um", "plm", "EU R-UE")).unwrap();
    assert_eq!(translated.label.source, LabelSource::Translation);
    assert_eq!(translated.label.effective.as_deref(), Some("FI TL4 HANDLING{ORCON}"));
    assert!(told(&translated, Lang::En).contains("translated by our own table"));
    let rules: Vec<&str> = translated.rules.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(rules, ["fi-orcon", "fi-tl4"]);
    let mut changing = case("plm", "um", "FI TL3");
    let next = WireLabel::plain("FI", "JULK");
    for (at, skew_ms, expected) in [
        (NOW, 0, InForce::New),
        (NOW.after(std::time::Duration::from_secs(1)), 0, InForce::Old),
        (NOW, 10, InForce::Old),
    ] {
        changing.label.as_mut().unwrap().succession = Some(Box::new((at, next.clone())));
        changing.skew_ms = skew_ms;
        // While both bind, the stricter of the two is the old one here.
        let found = policy.explain(&changing).unwrap().label.succession;
        assert_eq!(found, Some(expected));
    }
    let none = policy.explain(&Case { label: None, ..changing }).unwrap();
    assert_eq!((none.label.source, none.asked), (LabelSource::None, None));
}

#[test]
fn a_misspelt_name_is_an_error_with_a_suggestion() {
    let policy = Files::shared().policy();
    let error = policy.explain(&case("sm", "arksto", "FI TL3")).unwrap_err();
    assert_eq!(error.to_string(), "no node is called `arksto`; did you mean arkisto?");
}

#[test]
fn a_case_comes_back_from_json() {
    let policy = Files::shared().policy();
    let written = serde_json::to_string(&case("sm", "plm", "FI TL4")).unwrap();
    assert!(!written.contains("onward"), "{written}");
    let back: Case = serde_json::from_str(&written).unwrap();
    assert_eq!(back, case("sm", "plm", "FI TL4"));
    assert_eq!(back.decide(&policy).word(), Word::Permit);
    assert!(serde_json::from_str::<Case>(&written.replace("dest", "dset")).is_err());
    let named = Case { expires: Some(Timestamp::from_millis(1)), ..back };
    assert_eq!(named.decide(&policy).codes(), ["EXPIRED"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn an_explanation_agrees_with_the_decision(message in any_message()) {
        let policy = &*SHARED;
        message.with(policy, |facts| {
            let decision = policy.decide(NOW, facts);
            let explanation = policy.explain_facts(NOW, facts);
            prop_assert_eq!(explanation.decision, decision.word());
            let codes: Vec<String> = explanation.reasons.iter().map(|r| r.code.clone()).collect();
            prop_assert_eq!(&codes, &decision.codes());
            let at_gate = |code: &&String| {
                let gates = ["origin:", "prev:", "self:", "next:", "dest:"];
                gates.iter().any(|gate| code.starts_with(gate)) || *code == "UNKNOWN_NODE"
            };
            let lacks = explanation.gates.iter().flat_map(|gate| &gate.lacks);
            let lacks: Vec<&String> = lacks.map(|lack| &lack.code).collect();
            if explanation.asked.is_some() {
                prop_assert_eq!(codes.iter().filter(at_gate).collect::<Vec<_>>(), lacks);
            }
            for gate in &explanation.gates {
                prop_assert_eq!(gate.passed, gate.lacks.is_empty());
            }
            for limit in explanation.limits.iter().filter(|limit| !limit.kept) {
                prop_assert!(codes.iter().any(|code| code == limit.code));
            }
            if let (Some(obligations), Some(asked)) = (decision.obligations(), &explanation.asked) {
                prop_assert_eq!(&policy.duties(obligations), asked);
                let waits = explanation.acts.iter().any(|act| act.have < act.need);
                prop_assert_eq!(waits, decision.word() == Word::Hold);
            }
            prop_assert!(Lang::ALL.iter().all(|lang| !explanation.render(*lang).is_empty()));
            Ok(())
        })?;
    }

    #[test]
    fn a_case_gives_the_decision_of_its_facts(message in any_message()) {
        let policy = &*SHARED;
        message.with(policy, |facts| {
            let case = Case::of(policy, NOW, facts);
            prop_assert_eq!(case.decide(policy), policy.decide(NOW, facts));
            let written = serde_json::to_string(&case).unwrap();
            prop_assert_eq!(serde_json::from_str::<Case>(&written).unwrap(), case);
            Ok(())
        })?;
    }
}
