//! What can go where: the lists for people hold against every label there is.

use kuriiri_policy::{Case, Decision, Lang, Policy, What, WhatForm, WhatLevel, WhatRule, Word};
use kuriiri_types::{Category, WireLabel};

use crate::example::{Files, NOW, label};

/// Rules that the example does not have: on types, on ends, on combinations, on the way.
const MORE: &str = "
    [[rule]]
    id = 'x-both'
    policy = 'FI'
    has = ['HANDLING:ORCON', 'HANDLING:HENKILOTIETO']
    forbid = true
    [[rule]]
    id = 'x-raja'
    policy = 'FI'
    has = 'COMPARTMENT:RAJA'
    transit = 'sealed'
    [[rule]]
    id = 'x-eu'
    policy = 'FI'
    any = ['REL:EU']
    transit = 'no'
    seal = true
    [[rule]]
    id = 'x-sm-um'
    policy = 'FI'
    from = 'sm'
    to = 'um'
    at_least = 'TL4'
    forbid = true
    [[rule]]
    id = 'x-drill'
    policy = 'FI'
    message_type = 'drill'
    forbid = true
";

fn subsets(tag: &str, values: &[&str], most: usize) -> Vec<Option<Category>> {
    let sets = (0_u32..1 << values.len()).filter(|set| set.count_ones() as usize <= most);
    sets.map(|set| {
        let chosen = values.iter().enumerate().filter(|(i, _)| (set >> i) & 1 == 1);
        let values: Vec<String> = chosen.map(|(_, v)| (*v).to_owned()).collect();
        (!values.is_empty()).then(|| Category { tag: tag.into(), values })
    })
    .collect()
}

/// Every label of the example with at most two compartments and three releases.
pub(crate) fn every_label() -> Vec<WireLabel> {
    let compartments = subsets("COMPARTMENT", &["KIDE", "MERI", "RAJA", "VANHA"], 2);
    let handling = subsets("HANDLING", &["HENKILOTIETO", "ORCON"], 2);
    let releases = subsets("REL", &["EU", "NATO", "PLM", "SM", "UM", "VN"], 3);
    let mut labels = Vec::new();
    for level in ["JULK", "SALP", "TL4", "TL3", "TL2", "TL1"] {
        for c in &compartments {
            for h in &handling {
                for r in &releases {
                    let mut label = WireLabel::plain("FI", level);
                    label.categories = [c, h, r].into_iter().flatten().cloned().collect();
                    labels.push(label);
                }
            }
        }
    }
    labels
}

fn values<'a>(label: &'a WireLabel, tag: &str) -> &'a [String] {
    let category = label.categories.iter().find(|c| c.tag == tag);
    category.map_or(&[], |category| &category.values)
}

/// What the list says of one label: true when it can go.
fn listed(level: &WhatLevel, form: &WhatForm, label: &WireLabel, via: bool, sealed: bool) -> bool {
    let tags = form.tags.iter().all(|tag| {
        let values = values(label, &tag.tag);
        let among = |list: &[String]| values.iter().any(|value| list.contains(value));
        match tag.kind {
            "restrictive" => values.iter().all(|value| tag.usable.contains(value)),
            "permissive" => values.is_empty() || tag.one_of.iter().all(|need| among(&need.values)),
            _ => true,
        }
    });
    let holds = |name: &String| {
        let (tag, value) = name.split_once(':').unwrap();
        values(label, tag).iter().any(|v| v == value)
    };
    let speaks = |rule: &&WhatRule| {
        rule.has.iter().all(holds)
            && (rule.any.is_empty() || rule.any.iter().any(holds))
            && (rule.types.is_empty() || rule.types.contains(&"operation"))
    };
    let stops = |rule: &WhatRule| {
        let transit = rule.rule.transit;
        rule.rule.forbids
            || (rule.rule.asks.seal && !sealed)
            || (via && (transit == "no" || (transit == "sealed" && !sealed)))
    };
    form.open && tags && !level.rules.iter().filter(speaks).any(stops)
}

/// Compares one pair of nodes; tells how many labels could go.
fn compare(policy: &Policy, what: &What, labels: &[WireLabel]) -> usize {
    let mut gone = 0;
    for wire in labels {
        let level = what.levels.iter().find(|level| level.level == wire.level).unwrap();
        for route in &level.routes {
            for (form, sealed) in [(&route.sealed, true), (&route.clear, false)] {
                let next = route.via.clone();
                let case = Case::new(NOW, &what.from, &what.to, Some(wire.clone()));
                let next = next.or_else(|| case.next.clone());
                let decision = Case { next, sealed, ..case }.decide(policy);
                let goes = !matches!(decision, Decision::Deny(_));
                let listed = listed(level, form, wire, route.via.is_some(), sealed);
                assert_eq!(goes, listed, "{wire} {route:?} {sealed} {:?}", decision.codes());
                gone += usize::from(goes);
            }
        }
    }
    gone
}

#[test]
fn the_list_is_right_about_every_label() {
    let policy = Files::shared().and_rules(MORE).policy();
    let fi = policy.catalogue("FI").unwrap();
    let valid = |wire: &WireLabel| {
        let skew = std::time::Duration::ZERO;
        fi.resolve(wire, kuriiri_policy::Use::Carriage, NOW, skew).is_ok()
    };
    let labels: Vec<WireLabel> = every_label().into_iter().filter(valid).collect();
    let mut gone = 0;
    for from in ["sm", "plm", "um", "hub", "arkisto"] {
        for to in ["sm", "plm", "um", "hub", "arkisto"] {
            gone += compare(&policy, &policy.what(from, to).unwrap(), &labels);
        }
    }
    assert!(gone > 5_000, "{gone}");
}

#[test]
fn the_list_can_be_read() {
    let policy = Files::shared().policy();
    let text = policy.what("sm", "plm").unwrap().render(Lang::En).join("\n");
    for words in [
        "sm → plm (FI)",
        "✓ TL4 – SECURITY CLASS IV RESTRICTED\n    must be sealed end to end\n    size at most 64 MiB\n    delivered within 7 d",
        "✓ via hub hub, sealed",
        "REL: if present, one of each: SM|VN|EU (sm), SM|PLM|UM|VN (hub), PLM|VN|NATO (plm)",
        "COMPARTMENT: RAJA\n",
        "✓ TL3 – SECURITY CLASS III CONFIDENTIAL",
        "    ✗ via hub hub, sealed: Level SECURITY CLASS III CONFIDENTIAL must go directly",
        "with REL:EU | REL:NATO: releasing officers needed: 2 [fi-released-abroad]",
        "✗ TL1 – SECURITY CLASS I TOP SECRET\n    ✗ Level SECURITY CLASS I TOP SECRET may not be sent in this network.",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    assert!(policy.what("sm", "plmm").unwrap_err().to_string().contains("did you mean plm"));
    assert!(serde_json::to_string(&policy.what("um", "sm").unwrap()).unwrap().len() < 40_000);
}

#[test]
fn who_may_have_and_who_may_carry() {
    let policy = Files::shared().policy();
    let who = policy.who(NOW, &label("FI TL4 REL{PLM,SM}"), None).unwrap();
    let found: Vec<(&str, bool, Option<bool>, Option<bool>)> = who
        .nodes
        .iter()
        .map(|node| {
            let carry =
                |access: &Option<kuriiri_policy::Access>| access.as_ref().map(|a| a.allowed);
            let carries = (carry(&node.carry_sealed), carry(&node.carry_clear));
            (node.node.as_str(), node.receive.allowed, carries.0, carries.1)
        })
        .collect();
    let expected = [
        ("sm", true, None, None),
        ("plm", true, None, None),
        ("um", false, None, None),
        ("hub", false, Some(true), Some(false)),
        ("arkisto", false, None, None),
    ];
    assert_eq!(found, expected);
    let text = who.render(Lang::En).join("\n");
    assert!(
        text.contains(
            "may receive: no: Node Ministry for Foreign Affairs is not among REL: SM, PLM."
        ),
        "{text}"
    );
    let forbidden = policy.who(NOW, &label("FI TL1 REL{PLM}"), Some("plm")).unwrap();
    assert!(forbidden.nodes.iter().all(|node| !node.receive.allowed));
    let unknown = policy.who(NOW, &label("FI TL9"), None).unwrap();
    assert_eq!((unknown.reasons[0].code.as_str(), unknown.nodes.len()), ("LEVEL_UNKNOWN", 0));
    let translated = policy.who(NOW, &label("EU R-UE"), Some("um")).unwrap();
    assert_eq!(translated.label.as_deref(), Some("FI TL4 HANDLING{ORCON}"));
    assert!(policy.who(NOW, &label("FI TL4"), Some("umm")).is_err());
}

#[test]
fn who_agrees_with_the_decision() {
    let policy = Files::shared().policy();
    for text in ["FI TL4", "FI TL3 REL{PLM}", "FI JULK", "FI TL4 COMPARTMENT{KIDE}", "EU C-UE"] {
        let wire = label(text);
        let who = policy.who(NOW, &wire, Some("um")).unwrap();
        for node in &who.nodes {
            let case =
                Case { sealed: true, ..Case::new(NOW, "um", &node.node, Some(wire.clone())) };
            let decision = case.decide(&policy);
            let dest = decision.codes().iter().any(|code| code.starts_with("dest:"));
            let rules =
                decision.codes().iter().any(|code| code == "FORBIDDEN" || code == "NO_RULE");
            assert_eq!(node.receive.allowed, !dest && !rules, "{text} {}", node.node);
            if decision.word() != Word::Deny {
                assert!(node.receive.allowed);
            }
        }
    }
}
