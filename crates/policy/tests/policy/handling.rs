//! How it must be handled: limits, releases, merged rules.

use std::time::Duration;

use kuriiri_policy::Decision;
use kuriiri_types::{Code, Digest, MessageType, Precedence, Timestamp};

use crate::example::{
    DIGEST, Files, NOW, PERMIT, approval, codes, decide, deny, facts, hold, label, node,
};

#[test]
fn limits_are_inclusive_and_all_told() {
    let policy = Files::shared().policy();
    let way = ["plm", "um", "um"];
    let week = Duration::from_secs(7 * 24 * 3600);
    let late = Timestamp::from_millis(1);
    let exact = decide(&policy, way, "FI TL4", |f| {
        (f.size, f.created, f.expires) = (64 << 20, NOW.before(week), Some(NOW));
    });
    assert_eq!(exact, PERMIT);
    let old = decide(&policy, way, "FI TL4", |f| {
        f.created = NOW.before(week + Duration::from_millis(1));
    });
    assert_eq!(old, deny(&["EXPIRED"]), "the rule limits the life, too");
    let um = node(&policy, "um");
    let path = [um, um, um];
    let all = decide(&policy, way, "FI TL4", |f| {
        (f.size, f.expires, f.path, f.sealed) = (u64::MAX, Some(late), &path, false);
    });
    assert_eq!(all, deny(&["SEAL_REQUIRED", "TOO_BIG", "EXPIRED", "HOPS", "LOOP"]));
}

#[test]
fn a_message_does_not_return() {
    let policy = Files::shared().policy();
    let [sm, hub] = ["sm", "hub"].map(|id| node(&policy, id));
    let path = [sm, hub];
    let back = decide(&policy, ["sm", "plm", "plm"], "FI SALP", |f| {
        (f.at, f.prev, f.path, f.next) = (hub, Some(sm), &path, Some(hub));
    });
    assert_eq!(back, deny(&["LOOP"]));
}

#[test]
fn arriving_costs_no_hop() {
    let policy = Files::shared().policy();
    let [sm, hub, plm] = ["sm", "hub", "plm"].map(|id| node(&policy, id));
    let path = [sm, hub, plm];
    let arrived = decide(&policy, ["sm", "plm", "plm"], "FI TL4", |f| {
        (f.at, f.prev, f.path, f.next) = (plm, Some(hub), &path, None);
    });
    assert_eq!(arrived, PERMIT);
}

#[test]
fn releases_count_by_person_content_time_and_place() {
    let policy = Files::shared().policy();
    let [plm, um] = ["plm", "um"].map(|id| node(&policy, id));
    let way = ["plm", "um", "um"];
    let (a, b) = (approval("a", plm), approval("b", plm));
    let decide = |approvals: &[_], digest| {
        decide(&policy, way, "FI TL2 REL{PLM,UM}", |f| {
            (f.approvals, f.drafter, f.digest) = (approvals, Some("k"), digest);
        })
    };
    let digest = Some(DIGEST);
    assert_eq!(decide(&[a, b], digest), PERMIT);
    assert_eq!(decide(&[a], digest), hold(&["APPROVALS:1/2"]));
    assert_eq!(decide(&[a, b], None), hold(&["APPROVALS:0/2"]));
    let edited = Some(Digest([8; 32]));
    assert_eq!(decide(&[a, b], edited), hold(&["APPROVALS:0/2"]), "an edit voids all");
    let mut other = b;
    other.node = um;
    assert_eq!(decide(&[other, a, b], digest), PERMIT, "a namesake elsewhere hides nobody");
    let mut stale = b;
    stale.until = Some(NOW);
    assert_eq!(decide(&[a, stale], digest), PERMIT);
    stale.until = Some(NOW.before(Duration::from_millis(1)));
    assert_eq!(decide(&[a, stale], digest), hold(&["APPROVALS:1/2"]));
}

#[test]
fn every_role_that_some_rule_demands_must_be_there() {
    let roles = "\n[[rule]]\nid='x-role'\npolicy='FI'\nlevel='TL3'\napprovals=1\napprover_role=['chief','legal']\n";
    let policy = Files::shared().and_rules(roles).policy();
    let plm = node(&policy, "plm");
    let mut officer = approval("a", plm);
    officer.roles = &["chief"];
    let one = [officer];
    officer.roles = &["legal", "chief"];
    let both = [officer];
    let way = ["plm", "um", "um"];
    let found = decide(&policy, way, "FI TL3", |f| f.approvals = &one);
    assert_eq!(found, hold(&["APPROVER_ROLE:legal"]));
    assert_eq!(decide(&policy, way, "FI TL3", |f| f.approvals = &both), PERMIT);
}

#[test]
fn only_the_origin_waits_for_people() {
    let policy = Files::shared().policy();
    let um = node(&policy, "um");
    let arrived = decide(&policy, ["plm", "um", "um"], "FI TL3", |f| {
        (f.at, f.next, f.prev) = (um, None, Some(f.origin));
    });
    assert_eq!(arrived, deny(&["APPROVALS:0/1"]));
}

#[test]
fn a_hold_is_not_a_permit_and_a_denial_is_not_a_hold() {
    let policy = Files::shared().policy();
    let wire = label("FI TL3");
    let mut facts = facts(&policy, ["plm", "um", "um"], &wire);
    let held = policy.decide(NOW, &facts);
    assert!(matches!(&held, Decision::Hold(..)) && held.coarse() == Some(Code::NEEDS_RELEASE));
    facts.sealed = false;
    let denied = policy.decide(NOW, &facts);
    assert_eq!(codes(&denied), deny(&["SEAL_REQUIRED"]), "no release cures it");
    assert!(denied.obligations().is_none());
}

#[test]
fn passing_on_needs_consent_or_is_never_allowed() {
    let never =
        "\n[[rule]]\nid='x-never'\npolicy='FI'\nhas='HANDLING:HENKILOTIETO'\nonward='never'\n";
    let policy = Files::shared().and_rules(never).policy();
    let way = ["plm", "um", "um"];
    let onward =
        |text, consent| decide(&policy, way, text, |f| (f.onward, f.consent) = (true, consent));
    assert_eq!(onward("FI TL4", false), PERMIT);
    assert_eq!(onward("FI TL4 HANDLING{ORCON}", false), hold(&["ORIGINATOR_CONSENT"]));
    assert_eq!(onward("FI TL4 HANDLING{ORCON}", true), PERMIT);
    let both = onward("FI TL4 HANDLING{HENKILOTIETO,ORCON}", true);
    assert_eq!(both, deny(&["ONWARD_FORBIDDEN"]), "the strictest wins");
}

#[test]
fn obligations_are_the_strictest_of_all_rules() {
    let rules = "
        [[rule]]
        id = 'x-all'
        policy = 'FI'
        at_least = 'TL4'
        max_size = '1 MiB'
        rate = '10/min'
        retain_min = '1 d'
        receipt = 'delivered'
        window = 'Mon-Fri 08:00-16:00'
        seal = 'approved:BOX-1'
        [[rule]]
        id = 'x-to-um'
        policy = 'FI'
        from = 'plm'
        to = ['um', 'sm']
        receipt = 'read'
        rate = '1/s'
        message_type = ['operation', 'drill']
        window = ['Mon 00:00-24:00', 'Tue 10:00-12:00']
    ";
    let policy = Files::shared().and_rules(rules).policy();
    let wire = label("FI TL4 HANDLING{HENKILOTIETO}");
    let facts = facts(&policy, ["plm", "um", "um"], &wire);
    let decision = policy.decide(NOW, &facts);
    let found = decision.obligations().unwrap();
    let day = Duration::from_secs(24 * 3600);
    assert_eq!((found.max_size, found.rate_per_hour), (Some(1 << 20), Some(600)));
    assert_eq!((found.retain_min, found.retain_max), (Some(day), Some(day * 7)));
    assert_eq!((found.ttl, found.max_hops), (Some(day * 7), 2));
    assert_eq!(found.receipt, kuriiri_policy::ReceiptDemand::Read);
    assert_eq!(policy.seal_system(found), Some("BOX-1"));
    assert!(found.seal && !found.direct_only);
    let at = |hours: u64| {
        let monday = Timestamp::from_millis(1_794_787_200_000);
        policy.may_leave(found, monday.after(Duration::from_secs(hours * 3600)))
    };
    assert!(at(9) && at(24 + 11), "both rules are open");
    assert!(!at(7) && !at(24 + 9) && !at(48 + 9), "one rule is closed");
}

#[test]
fn rules_speak_only_of_what_they_match() {
    let rules = "
        [[rule]]
        id = 'x-drill'
        policy = 'FI'
        message_type = 'drill'
        forbid = true
        [[rule]]
        id = 'x-both'
        policy = 'FI'
        has = ['HANDLING:ORCON', 'HANDLING:HENKILOTIETO']
        forbid = true
        [[rule]]
        id = 'x-from-sm'
        policy = 'FI'
        from = 'sm'
        to = 'um'
        forbid = true
    ";
    let policy = Files::shared().and_rules(rules).policy();
    let way = ["plm", "um", "um"];
    let drill = |text, message_type| decide(&policy, way, text, |f| f.message_type = message_type);
    assert_eq!(drill("FI TL4", MessageType::Operation), PERMIT);
    assert_eq!(drill("FI TL4", MessageType::Drill), deny(&["FORBIDDEN"]));
    assert_eq!(drill("FI TL4 HANDLING{ORCON}", MessageType::Operation), PERMIT);
    let both = drill("FI TL4 HANDLING{HENKILOTIETO,ORCON}", MessageType::Operation);
    assert_eq!(both, deny(&["FORBIDDEN"]));
    assert_eq!(decide(&policy, ["sm", "plm", "plm"], "FI TL4", |_| {}), PERMIT);
    assert_eq!(decide(&policy, ["sm", "um", "um"], "FI TL4", |_| {}), deny(&["FORBIDDEN"]));
}

#[test]
fn a_ministry_can_only_tighten() {
    let loose = "[[rule]]\nid='own'\npolicy='FI'\nlevel='TL3'\ntransit='clear'\nseal=false\napprovals=0\n\
        max_size='1 GiB'\n[[rule]]\nid='own-salp'\npolicy='FI'\nlevel='SALP'\ntransit='clear'\n";
    let policy = Files::shared().and_local(loose).policy();
    let way = ["sm", "hub", "plm"];
    let found = decide(&policy, way, "FI TL3", |_| {});
    assert_eq!(found, deny(&["TRANSIT_FORBIDDEN", "next:LEVEL"]));
    let uncovered = Files::shared()
        .replace(
            "id = \"fi-salp\"\npolicy = \"FI\"\nlevel = \"SALP\"",
            "id = \"fi-salp\"\npolicy = \"FI\"",
        )
        .and_local(loose)
        .policy();
    let found = decide(&uncovered, ["um", "plm", "plm"], "FI SALP", |_| {});
    assert_eq!(found, deny(&["NO_RULE"]), "a local rule gives no leave to move");
    let tight = "[[rule]]\nid='own'\npolicy='FI'\nlevel='JULK'\ntransit='no'\nseal=true\n";
    let policy = Files::shared().and_local(tight).policy();
    let found = decide(&policy, way, "FI JULK", |f| f.sealed = false);
    assert_eq!(found, deny(&["TRANSIT_FORBIDDEN", "SEAL_REQUIRED"]));
}

#[test]
fn urgency_is_capped_and_opens_nothing() {
    let policy = Files::shared().policy();
    let plm = node(&policy, "plm");
    let approvals = [approval("a", plm), approval("b", plm)];
    let urgent = |precedence| {
        decide(&policy, ["plm", "um", "um"], "FI TL2 REL{PLM,UM}", |f| {
            (f.precedence, f.approvals) = (precedence, &approvals);
        })
    };
    assert_eq!(urgent(Precedence::Flash), PERMIT);
    assert_eq!(urgent(Precedence::Override), deny(&["PRECEDENCE"]));
}
