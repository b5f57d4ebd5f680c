//! Every vector of the label policy: decision, complete reasons, effective label, obligations.

use kuriiri_policy::{Tester, TrialOutcome, TrialReport, Trials};

use crate::example::Files;

pub(crate) const VECTORS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/labels/vectors.json"));

pub(crate) fn run(files: &Files, trials: &Trials) -> TrialReport {
    Tester::new(files.sources().unwrap()).unwrap().run(trials)
}

fn json(cases: &str) -> TrialReport {
    run(&Files::shared(), &serde_json::from_str(cases).unwrap())
}

fn toml(cases: &str) -> TrialReport {
    run(&Files::shared(), &toml::from_str(cases).unwrap())
}

fn shown(report: &TrialReport) -> String {
    serde_json::to_string_pretty(&report.not_held().collect::<Vec<_>>()).unwrap()
}

#[test]
fn all_vectors_hold() {
    let report = json(VECTORS);
    assert_eq!(report.results.len(), 68);
    assert!(report.all_held(), "{}", shown(&report));
    let untouched: Vec<&str> = report.coverage.untouched_rules().collect();
    assert!(!untouched.contains(&"fi-tl3") && untouched.contains(&"tlp-red"), "{untouched:?}");
    assert_eq!(report.coverage.reasons["next:LEVEL"], 3);
    assert!(report.coverage.untouched_reasons().any(|code| code == "LOOP"));
}

#[test]
fn the_same_vectors_are_read_from_toml() {
    // TOML has no null: what is null is left out, which means the same.
    let mut value: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    without_null(&mut value);
    let text = ::toml::to_string(&value).unwrap();
    assert!(toml(&text).all_held(), "{}", shown(&toml(&text)));
}

fn without_null(value: &mut serde_json::Value) {
    if let Some(map) = value.as_object_mut() {
        map.retain(|_, value| !value.is_null());
        map.values_mut().for_each(without_null);
    }
    value.as_array_mut().into_iter().flatten().for_each(without_null);
}

#[test]
fn an_expectation_turned_round_fails() {
    let mut value: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    for case in value["cases"].as_array_mut().unwrap() {
        let expect = case["expect"].as_object_mut().unwrap();
        for (key, value) in expect.iter_mut() {
            *value = match key.as_str() {
                "decision" if value == "DENY" => "PERMIT".into(),
                "decision" => "DENY".into(),
                "reasons" => serde_json::json!(["NO_SUCH_REASON"]),
                "obligations" => serde_json::json!({"max_hops": 77}),
                "label" => serde_json::json!("FI TL1"),
                _ => "something else".into(),
            };
        }
    }
    let trials: Trials = serde_json::from_value(value.clone()).unwrap();
    let report = run(&Files::shared(), &trials);
    let cases = value["cases"].as_array().unwrap();
    for (result, case) in report.results.iter().zip(cases) {
        let TrialOutcome::Failed { differences, .. } = &result.outcome else {
            panic!("{result:?}");
        };
        let fields = case["expect"].as_object().unwrap().len();
        assert_eq!(differences.len(), fields, "{}: {differences:?}", result.name);
    }
}

#[test]
fn officers_write_short_tests() {
    let report = toml(
        r#"
        [[test]]
        name = "TL III must not pass the hub"
        from = "sm"
        to = "plm"
        via = "hub"
        label = "FI TL3"
        sealed = true
        expect = "deny"
        reasons = ["TRANSIT_FORBIDDEN", "next:LEVEL"]
        [[test]]
        name = "two officers release TL II"
        from = "plm"
        to = "um"
        label = "FI TL2 REL{PLM,UM}"
        sealed = true
        size = "16 MiB"
        approvals = 2
        precedence = "flash"
        expect = "permit"
        [[test]]
        name = "one does not, and the answer says how many"
        from = "plm"
        to = "um"
        label = "FI TL2 REL{PLM,UM}"
        sealed = true
        approvals = 1
        expect = "hold"
        reasons = ["APPROVALS:1/2"]
        obligations = { approvals = 2, max_size = "16 MiB", ttl = "24 h", direct_only = true, seal = true }
        [[test]]
        name = "late"
        from = "plm"
        to = "um"
        label = "FI TL4"
        sealed = true
        now = 2026-11-16T10:00:00Z
        created = 2026-11-01T10:00:00Z
        expires = 2026-11-30T10:00:00Z
        type = "exercise"
        expect = "deny"
        reasons = ["EXPIRED"]
        "#,
    );
    assert!(report.all_held(), "{}", shown(&report));
}

#[test]
fn a_failure_tells_both_sides() {
    let report = toml(
        "[[test]]\nname='x'\nfrom='sm'\nto='plm'\nlabel='FI TL3'\nexpect='permit'\nreasons=[]\n",
    );
    let TrialOutcome::Failed { differences, got } = &report.results[0].outcome else {
        panic!("{report:?}");
    };
    assert_eq!(differences[0].to_string(), "decision: expected PERMIT, got DENY");
    assert_eq!(differences[1].got, "SEAL_REQUIRED");
    assert_eq!(got.level.as_deref(), Some("TL3"));
    let text = report.results[0].to_string();
    assert!(text.starts_with("✗ x\n    decision: expected PERMIT"), "{text}");
}

/// A case of the kind `decide` with these inputs and expectations changed or added.
fn decide_with(input: &str, expect: &str) -> String {
    let mut case = serde_json::json!({
        "id": "X", "kind": "decide",
        "in": {"at": "plm", "origin": "plm", "next": "um", "dest": "um", "sealed": true,
               "label": {"policy": "FI", "level": "TL4"}},
        "expect": {"decision": "PERMIT", "reasons": []},
    });
    for (key, change) in [("in", input), ("expect", expect)] {
        let change: serde_json::Value = serde_json::from_str(change).unwrap();
        for (name, value) in change.as_object().unwrap() {
            case[key][name] = value.clone();
        }
    }
    serde_json::json!({ "cases": [case] }).to_string()
}

#[test]
fn what_is_not_understood_is_said_and_never_passed_over() {
    for (input, expect, words) in [
        (r#"{"sealled": true}"#, "{}", "`in.sealled`: is not understood here"),
        (r#"{"size": "64 MB"}"#, "{}", "`in.size`: `64 MB` is not a size"),
        (r#"{"size": -1}"#, "{}", "`in.size`: -1 is out of range"),
        (r#"{"type": "war"}"#, "{}", "`in.type`: `war`"),
        (
            r#"{"approvals": [{"officer": "a"}, {"oficer": "b"}]}"#,
            "{}",
            "`in.approvals[1].officer`",
        ),
        (
            r#"{"label": {"policy": "FI", "level": "TL4", "colour": "x"}}"#,
            "{}",
            "`in.label.colour`",
        ),
        (
            r#"{"label": {"level": "TL4", "categories": [{"tag": "REL"}]}}"#,
            "{}",
            "values`: is missing",
        ),
        (r#"{"disable_rules": ["nobody"]}"#, "{}", "there is no rule `nobody`"),
        (r#"{"revised_clearance": {"vm": {"levels": []}}}"#, "{}", "`in.revised_clearance.vm`"),
        (r#"{"revised_clearance": {"um": {"levels": ["TL9"]}}}"#, "{}", "`TL9` is not defined"),
        ("{}", r#"{"surprise": 1}"#, "`expect.surprise`: is not understood here"),
        ("{}", r#"{"decision": "ALLOW"}"#, "`expect.decision`: `ALLOW`"),
        ("{}", r#"{"obligations": {"hops": 1}}"#, "`expect.obligations.hops`"),
    ] {
        let report = json(&decide_with(input, expect));
        let TrialOutcome::Broken { why } = &report.results[0].outcome else {
            panic!("{input} {expect}: {report:?}");
        };
        assert!(why.contains(words), "{words}\n{why}");
    }
    for (text, words) in [
        (r#"{"cases": 1}"#, "`cases`: a list"),
        (r#"{"format": "label-vectors/2", "cases": []}"#, "`format`"),
        (r#"{"note": "x"}"#, "neither"),
        (r#"{"cases": [], "surprise": 1}"#, "`surprise`"),
        (r#"{"cases": [{"id": "a", "id": "b"}]}"#, "twice"),
    ] {
        let error = serde_json::from_str::<Trials>(text).unwrap_err().to_string();
        assert!(error.contains(words), "{words}\n{error}");
    }
    assert!(!json(r#"{"cases": []}"#).all_held(), "no case proves nothing");
}

#[test]
fn all_that_cases_may_give_is_read() {
    let approvals = |more: &str| {
        format!(r#"{{"label": "FI TL3", "digest": "d0", "approvals": [{{"officer": "a"{more}}}]}}"#)
    };
    let held = r#"{"decision": "HOLD", "reasons": ["APPROVALS:0/1"]}"#;
    for (input, expect) in [
        (r#"{"verified": false}"#, r#"{"decision": "DENY", "reasons": ["UNVERIFIED"]}"#),
        (r#"{"label": null}"#, r#"{"decision": "DENY", "reasons": ["UNLABELLED"]}"#),
        (r#"{"labels": [], "label": null}"#, r#"{"decision": "DENY", "reasons": ["UNLABELLED"]}"#),
        (&approvals(""), r#"{"level": "TL3"}"#),
        (&approvals(r#", "digest": "d1""#), held),
        (&approvals(r#", "signature_ok": false"#), held),
        (&approvals(r#", "node": "um""#), held),
        (&approvals(r#", "until": "2026-01-01T00:00:00Z""#), "{}"),
        (r#"{"label": "FI TL4", "path": ["plm"], "prev": null}"#, "{}"),
        (
            r#"{"label": {"policy": "FI", "level": "TL3", "categories": [{"tag": "REL", "type": "restrictive", "values": ["UM"]}]}}"#,
            r#"{"decision": "DENY", "reasons": ["TYPE_MISMATCH"]}"#,
        ),
        (
            r#"{"label": "FI TL4 HANDLING{ORCON}", "onward": true, "consent": true}"#,
            r#"{"obligations": {"onward": "originator-consent", "markers": [], "rate": null}}"#,
        ),
        (
            r#"{"originating": true, "person": {"levels": ["JULK"]}}"#,
            r#"{"decision": "DENY", "reasons": ["origin:LEVEL"]}"#,
        ),
        (
            r#"{"originating": true, "label": "FI TL4 COMPARTMENT{VANHA}"}"#,
            r#"{"decision": "DENY", "reasons": ["OBSOLETE"]}"#,
        ),
        (
            r#"{"revised_clearance": {"um": null}}"#,
            r#"{"decision": "DENY", "reasons": ["dest:NO_CLEARANCE"]}"#,
        ),
        (
            r#"{"next": "hub", "revised_carriage": {"hub": {"levels": ["SALP"]}}}"#,
            r#"{"decision": "DENY", "reasons": ["next:LEVEL"]}"#,
        ),
        (r#"{"next": "hub"}"#, r#"{"obligations": {"max_hops": 2, "precedence_max": "OVERRIDE"}}"#),
    ] {
        // A null that the change brings means that the field does not stand there.
        let report = json(&decide_with(input, expect));
        let nothing = input.contains("until") || report.all_held();
        assert!(nothing, "{input}\n{}", shown(&report));
    }
    let admits = |clearance: &str| {
        format!(
            r#"[{{"kind": "admits", "in": {{"policy": "FI", "label": {{"level": "TL4"}}{clearance}}},
                "expect": {{"decision": "DENY", "reasons": ["NO_CLEARANCE"]}}}}]"#
        )
    };
    for clearance in
        ["", r#", "clearance": null"#, r#", "clearance": {"policy": "EU", "levels": ["R-UE"]}"#]
    {
        assert!(json(&admits(clearance)).all_held(), "{}", shown(&json(&admits(clearance))));
    }
    let join = r#"[{"kind": "join", "in": {"labels": ["FI TL4 REL{SM}", "FI TL3"]},
        "expect": {"decision": "PERMIT", "label": "FI TL3 REL{SM}", "reasons": []}},
        {"kind": "marking", "in": {"label": "FI JULK", "lang": "en"}, "expect": {"text": "PUBLIC"}}]"#;
    assert!(json(join).all_held(), "{}", shown(&json(join)));
}

#[test]
fn files_carry_tests_of_their_own() {
    let test = |expect: &str| {
        format!(
            "\n[[test]]\nname='t'\nfrom='sm'\nto='plm'\nlabel='FI TL4'\nsealed=true\nexpect='{expect}'\n"
        )
    };
    let none = Files::shared().policy().run_tests();
    assert!(none.results.is_empty());
    let mut files = Files::shared();
    files.catalogues[0].push_str(&test("permit"));
    files.federation.push_str(&test("permit"));
    files.translations[0].push_str(&test("deny"));
    let report = files.and_rules(&test("permit")).policy().run_tests();
    assert_eq!(report.results.len(), 4);
    let failed: Vec<_> = report.not_held().map(|result| result.file.clone().unwrap()).collect();
    assert_eq!(failed, ["translation table"]);
    for (test, words) in [
        (test("permit").replace("expect", "expcet"), "test `t`: `expect`: is missing"),
        (test("permit") + "surprise=1\n", "test `t`: `surprise`: is not understood here"),
        (test("permit") + "disable_rules=['fi-tl4']\n", "`disable_rules`"),
    ] {
        let error = Files::shared().and_rules(&test).compile().unwrap_err();
        assert!(error.contains(words), "{words}\n{error}");
    }
}
