//! The policy of the example federation, as the engine asks it.

use kuriiri_types::Precedence;

use super::*;
use crate::testing::{Letter, NOW, address, ministry, policy, policy_with};

const DAY: Duration = Duration::from_secs(24 * 3600);
const MIB: u64 = 1024 * 1024;

fn judge(home: &str) -> Judge {
    Judge::new(policy(), ministry(home))
}

fn letter(to: &str, label: &'static str) -> Letter {
    Letter { label: Some(label), ..Letter::new(1, "kirjaamo@sm.example", &[to]) }
}

/// The way of a letter from the relay of a ministry, having passed others.
fn route(at: &str, path: &[&str], letter: &Letter) -> Result<(Hop, Timestamp), Refusal> {
    let (header, path) = (letter.header(), path.iter().map(|m| ministry(m)).collect::<Vec<_>>());
    let dest = letter.to[0].ministry();
    judge(at).route(NOW, &Case { header: &header, dest, path: &path })
}

fn peer(name: &str) -> Hop {
    Hop::Peer(ministry(name))
}

fn hop(at: &str, path: &[&str], letter: &Letter) -> Hop {
    route(at, path, letter).unwrap().0
}

fn code(at: &str, path: &[&str], letter: &Letter) -> Code {
    route(at, path, letter).unwrap_err().code
}

// === the way ===

#[test]
fn a_message_goes_straight_where_there_is_a_link_else_by_the_hub_and_arrives() {
    let (plm, um) = ("kirjaamo@plm.example", "kirjaamo@um.example");
    assert_eq!(hop("sm.example", &[], &letter(plm, "FI JULK")), peer("plm.example"));
    let far = letter(um, "FI JULK");
    assert_eq!(hop("sm.example", &[], &far), peer("verkko.example"));
    assert_eq!(hop("verkko.example", &["sm.example"], &far), peer("um.example"));
    assert_eq!(hop("um.example", &["sm.example", "verkko.example"], &far), Hop::Here);
    assert_eq!(hop("sm.example", &[], &letter("tilanne@sm.example", "FI JULK")), Hop::Here);
}

#[test]
fn what_must_be_sealed_on_the_way_goes_by_the_hub_only_sealed() {
    let open = letter("kirjaamo@um.example", "FI SALP");
    let sealed = Letter { is_sealed: true, ..open.clone() };
    let refusal = route("sm.example", &[], &open).unwrap_err();
    assert_eq!(refusal.code, Code::POLICY);
    assert!(refusal.reasons.iter().any(|r| r.starts_with("SEAL_REQUIRED: ")), "{refusal:?}");
    assert_eq!(hop("sm.example", &[], &sealed), peer("verkko.example"));
    assert_eq!(code("verkko.example", &["sm.example"], &open), Code::POLICY);
    assert_eq!(hop("verkko.example", &["sm.example"], &sealed), peer("um.example"));
    let near = letter("kirjaamo@plm.example", "FI SALP");
    assert_eq!(hop("sm.example", &[], &near), peer("plm.example"), "a direct link needs no seal");
}

#[test]
fn what_the_label_forbids_has_no_way() {
    let plm = |label| letter("kirjaamo@plm.example", label);
    assert_eq!(code("sm.example", &[], &plm("FI TL4")), Code::POLICY, "it must be sealed");
    let tl3 = Letter { is_sealed: true, ..plm("FI TL3") };
    assert_eq!(code("sm.example", &[], &tl3), Code::NEEDS_RELEASE);
    let unlabelled = Letter { label: None, ..plm("FI JULK") };
    assert_eq!(code("sm.example", &[], &unlabelled), Code::POLICY);
    assert_eq!(
        code("sm.example", &[], &letter("a@nowhere.example", "FI JULK")),
        Code::UNKNOWN_RECIPIENT
    );
    let again = letter("kirjaamo@um.example", "FI JULK");
    let path = ["sm.example", "verkko.example", "plm.example"];
    assert_eq!(code("verkko.example", &path, &again), Code::POLICY, "it was here before");
}

#[test]
fn a_relay_that_is_no_member_lets_nothing_through() {
    let judge = judge("stranger.example");
    let header = letter("kirjaamo@plm.example", "FI JULK").header();
    let dest = ministry("plm.example");
    assert!(judge.route(NOW, &Case { header: &header, dest: &dest, path: &[] }).is_err());
}

// === how long ===

#[test]
fn a_message_lives_as_long_as_header_rule_and_limit_all_let_it() {
    let lifetime = |judge: &Judge, expires: Option<Timestamp>| {
        let letter = Letter { expires, ..letter("kirjaamo@plm.example", "FI JULK") };
        let (header, dest) = (letter.header(), ministry("plm.example"));
        judge.route(NOW, &Case { header: &header, dest: &dest, path: &[] }).unwrap().1
    };
    let example = judge("sm.example");
    assert_eq!(lifetime(&example, None), NOW.after(30 * DAY), "the rule for public messages");
    assert_eq!(lifetime(&example, Some(NOW.after(DAY))), NOW.after(DAY));
    assert_eq!(lifetime(&example, Some(NOW.after(90 * DAY))), NOW.after(30 * DAY));
    let endless = |rules: &str| rules.replacen("ttl = \"30 d\"\n", "", 1);
    for change in [endless, |rules: &str| rules.replacen("\"30 d\"", "\"60 d\"", 1)] {
        let lax = Judge::new(policy_with(change), ministry("sm.example"));
        assert_eq!(lifetime(&lax, None), NOW.after(MESSAGE_TTL_MAX));
        assert_eq!(lifetime(&lax, Some(NOW.after(90 * DAY))), NOW.after(MESSAGE_TTL_MAX));
    }
}

#[test]
fn a_message_older_than_its_rule_allows_is_expired() {
    let old = Letter { created: NOW.before(31 * DAY), ..letter("a@plm.example", "FI JULK") };
    assert_eq!(code("sm.example", &[], &old), Code::EXPIRED);
}

// === asking first ===

fn ask(to: &[&str], label: &str, size: u64) -> Outcome {
    let question = Question {
        from: address("kirjaamo@sm.example"),
        to: to.iter().map(|to| address(to)).collect(),
        label: Some(label.parse().unwrap()),
        precedence: Precedence::Routine,
        size,
    };
    judge("sm.example").ask(NOW, &question)
}

fn refused(outcome: Outcome) -> Refusal {
    match outcome {
        Outcome::Refuse(refusal) => refusal,
        Outcome::Permit { .. } => panic!("{outcome:?}"),
    }
}

#[test]
fn asking_tells_to_seal_exactly_when_it_is_needed() {
    let (near, far) = ("kirjaamo@plm.example", "kirjaamo@um.example");
    let permit = |seal| Outcome::Permit { seal, size_max: BODY_BYTES_MAX, approvals: 0 };
    assert_eq!(ask(&[near], "FI JULK", 10), permit(false));
    assert_eq!(ask(&[far], "FI JULK", 10), permit(false));
    assert_eq!(ask(&[near], "FI SALP", 10), permit(false), "a direct link");
    assert_eq!(ask(&[far], "FI SALP", 10), permit(true), "a hub");
    assert_eq!(ask(&[near, far], "FI SALP", 10), permit(true), "one of them over a hub");
    assert_eq!(ask(&[near], "FI TL4", 10), permit(true), "the rule says so");
}

#[test]
fn asking_tells_what_sending_would() {
    let (near, far) = ("kirjaamo@plm.example", "kirjaamo@um.example");
    assert_eq!(refused(ask(&[near], "FI TL3", 10)).code, Code::NEEDS_RELEASE);
    assert_eq!(refused(ask(&[far], "FI TL4 COMPARTMENT{RAJA}", 10)).code, Code::POLICY);
    let refusal = refused(ask(&[near, "a@nowhere.example"], "FI JULK", 10));
    assert_eq!(refusal.code, Code::UNKNOWN_RECIPIENT);
    assert!(refusal.reasons.iter().all(|r| r.starts_with("nowhere.example: ")), "{refusal:?}");
    for (to, label) in [(near, "FI JULK"), (far, "FI SALP"), (near, "FI TL4"), (near, "FI TL3")] {
        let sent = |is_sealed| {
            let letter = letter(to, label.to_owned().leak());
            route("sm.example", &[], &Letter { is_sealed, ..letter }).is_ok()
        };
        let expected = match ask(&[to], label, 100) {
            Outcome::Permit { seal, .. } => (!seal, true),
            Outcome::Refuse(_) => (false, false),
        };
        assert_eq!((sent(false), sent(true)), expected, "{label} to {to}");
    }
}

#[test]
fn asking_tells_how_large_it_may_be() {
    let limited = policy_with(|rules| rules.replacen("\"256 MiB\"", "\"2 MiB\"", 1));
    let judge = Judge::new(limited, ministry("sm.example"));
    let question = |size| Question {
        from: address("kirjaamo@sm.example"),
        to: vec![address("kirjaamo@plm.example")],
        label: Some("FI JULK".parse().unwrap()),
        precedence: Precedence::Routine,
        size,
    };
    let permit = Outcome::Permit { seal: false, size_max: 2 * MIB, approvals: 0 };
    assert_eq!(judge.ask(NOW, &question(2 * MIB)), permit);
    assert_eq!(refused(judge.ask(NOW, &question(2 * MIB + 1))).code, Code::TOO_BIG);
}

// === again, later ===

fn still(judge: &Judge, letter: &Letter, now: Timestamp, next: &str) -> Result<(), Code> {
    let (header, dest) = (letter.header(), letter.to[0].ministry());
    let case = Case { header: &header, dest, path: &[] };
    judge.still_allows(now, &case, Some(&ministry(next))).map_err(|refusal| refusal.code)
}

#[test]
fn what_the_rules_no_longer_allow_is_withdrawn_and_what_is_late_has_expired() {
    let (plm, hub) = ("plm.example", "verkko.example");
    let near = letter("kirjaamo@plm.example", "FI JULK");
    assert_eq!(still(&judge("sm.example"), &near, NOW, plm), Ok(()));
    assert_eq!(still(&judge("sm.example"), &near, NOW.after(31 * DAY), plm), Err(Code::EXPIRED));
    let strict = |rules: &str| rules.replacen("transit = \"clear\"", "forbid = true", 1);
    let strict = Judge::new(policy_with(strict), ministry("sm.example"));
    assert_eq!(still(&strict, &near, NOW, plm), Err(Code::WITHDRAWN));
    let far = letter("kirjaamo@um.example", "FI JULK");
    assert_eq!(still(&judge("sm.example"), &far, NOW, hub), Ok(()));
    let direct = policy_with(|rules| rules.replacen("transit = \"clear\"", "transit = \"no\"", 1));
    let direct = Judge::new(direct, ministry("sm.example"));
    assert_eq!(still(&direct, &far, NOW, hub), Err(Code::WITHDRAWN));
    assert_eq!(still(&direct, &near, NOW, plm), Ok(()));
}

#[test]
fn what_has_arrived_is_decided_again_for_its_mailbox() {
    let letter = letter("kirjaamo@plm.example", "FI JULK");
    let (header, dest, path) = (letter.header(), ministry("plm.example"), [ministry("sm.example")]);
    let case = Case { header: &header, dest: &dest, path: &path };
    assert_eq!(judge("plm.example").still_allows(NOW, &case, None), Ok(()));
    let strict = policy_with(|rules| rules.replacen("ttl = \"30 d\"", "forbid = true", 1));
    let refusal = Judge::new(strict, dest.clone()).still_allows(NOW, &case, None).unwrap_err();
    assert_eq!(refusal.code, Code::WITHDRAWN);
}

// === receipts ===

#[test]
fn a_receipt_goes_straight_back_or_by_the_hub() {
    let hop = |at: &str, to: &str| judge(at).receipt_hop(&ministry(to));
    assert_eq!(hop("plm.example", "sm.example"), Some(ministry("sm.example")));
    assert_eq!(hop("um.example", "sm.example"), Some(ministry("verkko.example")));
    assert_eq!(hop("verkko.example", "sm.example"), Some(ministry("sm.example")));
    assert_eq!(hop("um.example", "nowhere.example"), None);
    assert_eq!(hop("stranger.example", "sm.example"), None);
}
