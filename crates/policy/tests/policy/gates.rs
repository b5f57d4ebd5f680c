//! Who may have it: made cases, each for one mistake that an access decision could make.

use std::time::Duration;

use kuriiri_policy::{Facts, NodeId};
use kuriiri_types::Code;

use crate::example::{Files, NOW, PERMIT, codes, decide, deny, facts, label, node};

#[test]
fn every_gate_is_asked_and_everything_lacking_is_told() {
    let policy = Files::shared().policy();
    let found =
        decide(&policy, ["sm", "hub", "um"], "FI TL2 COMPARTMENT{KIDE,MERI} REL{EU,PLM}", |_| {});
    assert_eq!(found, deny(&["EXCLUDED_CATEGORY"]));
    let found =
        decide(&policy, ["sm", "hub", "um"], "FI TL2 COMPARTMENT{KIDE,MERI} REL{PLM}", |_| {});
    assert_eq!(
        found,
        deny(&[
            "TRANSIT_FORBIDDEN",
            "origin:LEVEL",
            "origin:RESTRICTIVE:COMPARTMENT",
            "origin:PERMISSIVE:REL",
            "next:LEVEL",
            "next:RESTRICTIVE:COMPARTMENT",
            "dest:RESTRICTIVE:COMPARTMENT",
            "dest:PERMISSIVE:REL",
        ])
    );
}

#[test]
fn a_codeword_outside_its_carriage_does_not_pass_the_hub() {
    let policy = Files::shared().policy();
    let way = ["plm", "hub", "um"];
    let found = decide(&policy, way, "FI TL4 COMPARTMENT{KIDE}", |_| {});
    assert_eq!(found, deny(&["next:RESTRICTIVE:COMPARTMENT"]));
    assert_eq!(decide(&policy, ["plm", "um", "um"], "FI TL4 COMPARTMENT{KIDE}", |_| {}), PERMIT);
}

#[test]
fn carriage_is_for_sealed_messages_and_clearance_for_open_ones() {
    let open = Files::shared().replace("transit = \"sealed\"", "transit = \"clear\"");
    let policy = open.replace("seal = true", "seal = false").policy();
    let way = ["sm", "hub", "plm"];
    assert_eq!(decide(&policy, way, "FI TL4", |_| {}), PERMIT);
    let found = decide(&policy, way, "FI TL4", |f| f.sealed = false);
    assert_eq!(found, deny(&["next:LEVEL"]));
}

#[test]
fn only_hubs_pass_on() {
    let policy = Files::shared().policy();
    let found = decide(&policy, ["sm", "um", "plm"], "FI TL4", |_| {});
    assert_eq!(found, deny(&["next:NOT_TRANSIT"]));
}

#[test]
fn who_handed_it_over_must_have_been_able_to_hold_it() {
    let policy = Files::shared().policy();
    let [sm, hub, um, plm] = ["sm", "hub", "um", "plm"].map(|id| node(&policy, id));
    let path = [sm, hub];
    let arrived = |f: &mut Facts<'_>, prev| {
        (f.at, f.prev, f.next) = (plm, Some(prev), None);
    };
    let way = ["sm", "plm", "plm"];
    assert_eq!(decide(&policy, way, "FI TL4", |f| arrived(f, hub)), PERMIT);
    let found = decide(&policy, way, "FI TL4", |f| arrived(f, um));
    assert_eq!(found, deny(&["prev:NO_CLEARANCE"]), "a ministry has no carriage");
    let found = decide(&policy, way, "FI TL4 COMPARTMENT{RAJA} REL{PLM,SM}", |f| {
        arrived(f, hub);
        f.path = &[];
    });
    assert_eq!(found, PERMIT);
    let through_hub = decide(&policy, way, "FI TL3", |f| {
        arrived(f, hub);
        f.path = &path;
    });
    let expected = deny(&["TRANSIT_FORBIDDEN", "prev:LEVEL"]);
    assert_eq!(through_hub, expected, "the recipient looks too");
}

#[test]
fn a_hub_asks_whether_it_may_take_the_message() {
    let policy = Files::shared().policy();
    let [hub, um] = ["hub", "um"].map(|id| node(&policy, id));
    let way = ["sm", "hub", "plm"];
    let taking = |at| move |f: &mut Facts<'_>| (f.at, f.next) = (at, None);
    assert_eq!(decide(&policy, way, "FI TL4", taking(hub)), PERMIT);
    let found = decide(&policy, way, "FI TL3", taking(hub));
    assert_eq!(found, deny(&["TRANSIT_FORBIDDEN", "self:LEVEL"]));
    assert_eq!(decide(&policy, way, "FI TL4", taking(um)), deny(&["self:NOT_TRANSIT"]));
}

#[test]
fn clearances_on_the_way_are_not_combined() {
    let policy = Files::shared().policy();
    // The origin holds SM, the destination PLM; neither holds both and nobody needs to.
    assert_eq!(decide(&policy, ["sm", "plm", "plm"], "FI TL4 REL{PLM,SM}", |_| {}), PERMIT);
    let found = decide(&policy, ["sm", "plm", "plm"], "FI TL4 REL{SM}", |_| {});
    assert_eq!(found, deny(&["dest:PERMISSIVE:REL"]));
    let found = decide(&policy, ["sm", "plm", "plm"], "FI TL4 REL{PLM}", |_| {});
    assert_eq!(found, deny(&["origin:PERMISSIVE:REL"]));
}

#[test]
fn a_group_reaches_its_members_and_a_member_not_its_group() {
    let policy = Files::shared().policy();
    assert_eq!(decide(&policy, ["sm", "plm", "plm"], "FI TL4 REL{VN}", |_| {}), PERMIT);
    let fi = policy.catalogue("FI").unwrap();
    let holder = fi.clearance(&["TL4"], &["REL:VN"]).unwrap();
    let admits = |text| {
        let wire = label(text);
        let label = fi.resolve(&wire, kuriiri_policy::Use::Carriage, NOW, Duration::ZERO).unwrap();
        kuriiri_policy::admits(fi, &label, &holder).is_ok()
    };
    assert!(admits("FI TL4 REL{VN}"));
    assert!(!admits("FI TL4 REL{SM}"), "a group is not its members");
}

#[test]
fn each_permissive_tag_must_be_met() {
    let tag =
        "[[tag]]\nid='WORK'\ntype='permissive'\n[[tag.value]]\nid='A'\n[[tag.value]]\nid='B'\n";
    let files = Files::shared()
        .replace("\n[[require]]", &format!("\n{tag}[[require]]"))
        .replace("\"REL:UM\",", "\"REL:UM\", \"WORK:A\",")
        .replace("\"REL:PLM\", \"REL:NATO\"]", "\"REL:PLM\", \"WORK:A\"]");
    let policy = files.policy();
    let way = ["plm", "um", "um"];
    assert_eq!(decide(&policy, way, "FI TL4 WORK{A,B}", |_| {}), PERMIT);
    let found = decide(&policy, way, "FI TL4 REL{PLM,UM} WORK{B}", |_| {});
    assert_eq!(found, deny(&["origin:PERMISSIVE:WORK", "dest:PERMISSIVE:WORK"]));
}

#[test]
fn a_clearance_of_another_serial_or_policy_is_none() {
    let policy = Files::shared().policy();
    let found = decide(&policy, ["sm", "plm", "plm"], "TLP AMBER", |_| {});
    assert_eq!(found, deny(&["dest:NO_CLEARANCE"]));
    let older = Files::shared().replace("serial  = 7", "serial  = 6").policy();
    let (new, old) = (policy.catalogue("FI").unwrap(), older.catalogue("FI").unwrap());
    let wire = label("FI TL4");
    let stale = old.resolve(&wire, kuriiri_policy::Use::Carriage, NOW, Duration::ZERO).unwrap();
    let clearance = new.clearance(&["TL4"], &[]).unwrap();
    assert!(kuriiri_policy::admits(new, &stale, &clearance).is_err());
    let facts = facts(&policy, ["plm", "um", "um"], &wire);
    let decision = policy.decide_resolved(NOW, &facts, &stale);
    assert_eq!(codes(&decision), deny(&["POLICY_UNKNOWN"]));
    assert_eq!(new.marking(&stale, kuriiri_policy::Lang::En), "");
}

#[test]
fn strangers_are_denied_wherever_they_stand() {
    let policy = Files::shared().policy();
    let way = ["plm", "um", "um"];
    for change in [
        (|f| f.at = NodeId::UNKNOWN) as fn(&mut Facts<'_>),
        |f| f.origin = NodeId::UNKNOWN,
        |f| f.prev = Some(NodeId::UNKNOWN),
        |f| f.next = Some(NodeId::UNKNOWN),
        |f| f.dest = NodeId::UNKNOWN,
    ] {
        let (word, reasons) = decide(&policy, way, "FI TL4", change);
        assert!(word == "DENY" && reasons.contains(&"UNKNOWN_NODE".into()), "{reasons:?}");
    }
    let wire = label("FI TL4");
    let mut facts = facts(&policy, way, &wire);
    let resolved = policy.effective(NOW, &facts).unwrap();
    for next in [None, facts.next] {
        (facts.at, facts.next) = (NodeId::UNKNOWN, next);
        let decision = policy.decide_resolved(NOW, &facts, &resolved);
        assert!(codes(&decision).1.contains(&"UNKNOWN_NODE".into()), "a resolved label is no pass");
    }
}

#[test]
fn the_sender_may_hold_less_than_the_ministry() {
    let policy = Files::shared().policy();
    let fi = policy.catalogue("FI").unwrap();
    let low = [fi.clearance(&["JULK"], &[]).unwrap()];
    let high = [fi.clearance(&["TL4"], &[]).unwrap()];
    let way = ["plm", "um", "um"];
    let submit = |originating, person| {
        decide(&policy, way, "FI TL4", |f| (f.originating, f.person) = (originating, person))
    };
    assert_eq!(submit(true, Some(&high[..])), PERMIT);
    assert_eq!(submit(true, Some(&low[..])), deny(&["origin:LEVEL"]));
    assert_eq!(submit(true, Some(&[][..])), deny(&["origin:NO_CLEARANCE"]));
    assert_eq!(submit(false, Some(&low[..])), PERMIT, "asked at submission only");
}

#[test]
fn nothing_is_looked_at_without_a_verified_signature() {
    let policy = Files::shared().policy();
    let wire = label("FI TL9");
    let mut facts = facts(&policy, ["plm", "um", "um"], &wire);
    facts.verified = false;
    let decision = policy.decide(NOW, &facts);
    assert_eq!(codes(&decision), deny(&["UNVERIFIED"]));
    assert_eq!(decision.coarse(), Some(Code::SIGNATURE));
}

#[test]
fn up_to_is_by_rank() {
    let written = "levels = [\"JULK\", \"SALP\", \"TL4\", \"TL3\", \"TL2\"]\n  grants = [\"COMPARTMENT:KIDE\", \"REL:UM\"";
    let sugar = "up_to = \"TL4\"\n  grants = [\"COMPARTMENT:KIDE\", \"REL:UM\"";
    let policy = Files::shared().replace(written, sugar).policy();
    let way = ["plm", "um", "um"];
    assert_eq!(decide(&policy, way, "FI JULK", |_| {}), PERMIT);
    assert_eq!(decide(&policy, way, "FI TL4", |_| {}), PERMIT);
    assert_eq!(decide(&policy, way, "FI TL3", |_| {}), deny(&["dest:LEVEL"]));
}
