//! Made cases beyond the vectors, each for one mistake that a policy engine could make.

use std::time::Duration;

use kuriiri_policy::{Decision, Facts, NodeId, Policy, Reason};
use kuriiri_types::{Code, Digest, MessageType, Precedence, Timestamp};

use crate::example::{DIGEST, Files, NOW, approval, codes, facts, label, node, unlabelled};

/// The codes of a decision on a message with everything in order but what `change` does.
fn decide<'a>(
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

fn deny(reasons: &[&str]) -> (&'static str, Vec<String>) {
    ("DENY", reasons.iter().map(|r| (*r).to_owned()).collect())
}

fn hold(missing: &[&str]) -> (&'static str, Vec<String>) {
    ("HOLD", missing.iter().map(|r| (*r).to_owned()).collect())
}

const PERMIT: (&str, Vec<String>) = ("PERMIT", Vec::new());

#[test]
fn every_gate_is_asked_and_everything_lacking_is_told() {
    let policy = Files::shared().policy();
    let found =
        decide(&policy, ["sm", "hub", "um"], "FI TL2 COMPARTMENT{KIDE,MERI} REL{EU,PLM}", |_| {});
    assert_eq!(found, deny(&["EXCLUDED_CATEGORY",]));
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
        .replace("\"REL:NATO\"]", "\"REL:NATO\", \"WORK:A\"]");
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
fn up_to_is_by_rank() {
    let written = "levels = [\"JULK\", \"SALP\", \"TL4\", \"TL3\", \"TL2\"]\n  grants = [\"COMPARTMENT:KIDE\", \"REL:UM\"";
    let sugar = "up_to = \"TL4\"\n  grants = [\"COMPARTMENT:KIDE\", \"REL:UM\"";
    let policy = Files::shared().replace(written, sugar).policy();
    let way = ["plm", "um", "um"];
    assert_eq!(decide(&policy, way, "FI JULK", |_| {}), PERMIT);
    assert_eq!(decide(&policy, way, "FI TL4", |_| {}), PERMIT);
    assert_eq!(decide(&policy, way, "FI TL3", |_| {}), deny(&["dest:LEVEL"]));
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
