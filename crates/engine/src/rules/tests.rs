//! The policy of the example federation, as the engine asks it.

use kuriiri_types::{Digest, Precedence};

use super::*;
use crate::testing::system;
use crate::testing::{
    Key, Letter, NOW, address, key_id, key_text, ministry, policy, policy_by, policy_with,
};

const DAY: Duration = Duration::from_secs(24 * 3600);
const MIB: u64 = 1024 * 1024;

fn rules(home: &str) -> Rules {
    rules_by(policy(), home)
}

fn rules_by(policy: Arc<Policy>, home: &str) -> Rules {
    Rules::new(policy, ministry(home), &BTreeMap::new())
}

/// A letter without any releases.
fn case<'a>(header: &'a Header, dest: &'a Ministry, path: &'a [Ministry]) -> Case<'a> {
    let subject = Digest([0; 32]);
    Case { header, subject, dest, path, releases: &[], submitter: None }
}

fn submitter() -> SpiffeId {
    system(&address("kirjaamo@sm.example"))
}

fn letter(to: &str, label: &'static str) -> Letter {
    Letter { label: Some(label), ..Letter::new(1, "kirjaamo@sm.example", &[to]) }
}

/// The way of a letter from the relay of a ministry, having passed others.
fn route(at: &str, path: &[&str], letter: &Letter) -> Result<Way, Refusal> {
    let (header, path) = (letter.header(), path.iter().map(|m| ministry(m)).collect::<Vec<_>>());
    let submitter = submitter();
    let submitter = path.is_empty().then_some(&submitter);
    let case = Case { submitter, ..case(&header, letter.to[0].ministry(), &path) };
    match rules(at).rule_on(NOW, &case).0 {
        Ruling::Go(way) => Ok(way),
        Ruling::Wait(Need::People(missing)) => Err(refusal_of_missing(&missing)),
        Ruling::Wait(Need::Later) => panic!("no rule of the example has hours"),
        Ruling::End(refusal) => Err(refusal),
    }
}

fn peer(name: &str) -> Hop {
    Hop::Peer(ministry(name))
}

fn hop(at: &str, path: &[&str], letter: &Letter) -> Hop {
    route(at, path, letter).unwrap().hop
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
    let rules = rules("stranger.example");
    let header = letter("kirjaamo@plm.example", "FI JULK").header();
    let dest = ministry("plm.example");
    assert!(matches!(rules.rule_on(NOW, &case(&header, &dest, &[])).0, Ruling::End(_)));
}

// === how long ===

#[test]
fn a_message_lives_as_long_as_header_rule_and_limit_all_let_it() {
    let lifetime = |rules: &Rules, expires: Option<Timestamp>| {
        let letter = Letter { expires, ..letter("kirjaamo@plm.example", "FI JULK") };
        let (header, dest) = (letter.header(), ministry("plm.example"));
        let Ruling::Go(way) = rules.rule_on(NOW, &case(&header, &dest, &[])).0 else {
            panic!("a public letter goes");
        };
        rules.lifetime(NOW, &header, &way)
    };
    let example = rules("sm.example");
    assert_eq!(lifetime(&example, None), NOW.after(30 * DAY), "the rule for public messages");
    assert_eq!(lifetime(&example, Some(NOW.after(DAY))), NOW.after(DAY));
    assert_eq!(lifetime(&example, Some(NOW.after(90 * DAY))), NOW.after(30 * DAY));
    let endless = |rules: &str| rules.replacen("ttl = \"30 d\"\n", "", 1);
    for change in [endless, |rules: &str| rules.replacen("\"30 d\"", "\"60 d\"", 1)] {
        let lax = rules_by(policy_with(change), "sm.example");
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
    rules("sm.example").ask(NOW, &submitter(), &question)
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
    let released = Outcome::Permit { seal: true, size_max: BODY_BYTES_MAX, approvals: 1 };
    assert_eq!(ask(&[near], "FI TL3", 10), released);
    let abroad = Outcome::Permit { seal: false, size_max: BODY_BYTES_MAX, approvals: 2 };
    assert_eq!(ask(&[near], "FI JULK REL{NATO, SM}", 10), abroad, "the rule for release abroad");
    assert_eq!(refused(ask(&[far], "FI TL4 COMPARTMENT{RAJA}", 10)).code, Code::POLICY);
    let refusal = refused(ask(&[near, "a@nowhere.example"], "FI JULK", 10));
    assert_eq!(refusal.code, Code::UNKNOWN_RECIPIENT);
    assert!(refusal.reasons.iter().all(|r| r.starts_with("nowhere.example: ")), "{refusal:?}");
    for (to, label) in [(near, "FI JULK"), (far, "FI SALP"), (near, "FI TL4"), (near, "FI TL3")] {
        let sent = |is_sealed| {
            let letter = letter(to, label.to_owned().leak());
            let sent = route("sm.example", &[], &Letter { is_sealed, ..letter });
            sent.is_ok() || sent.is_err_and(|why| why.code == Code::NEEDS_RELEASE)
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
    let rules = rules_by(limited, "sm.example");
    let question = |size| Question {
        from: address("kirjaamo@sm.example"),
        to: vec![address("kirjaamo@plm.example")],
        label: Some("FI JULK".parse().unwrap()),
        precedence: Precedence::Routine,
        size,
    };
    let permit = Outcome::Permit { seal: false, size_max: 2 * MIB, approvals: 0 };
    assert_eq!(rules.ask(NOW, &submitter(), &question(2 * MIB)), permit);
    assert_eq!(refused(rules.ask(NOW, &submitter(), &question(2 * MIB + 1))).code, Code::TOO_BIG);
}

// === again, later ===

fn still(rules: &Rules, letter: &Letter, now: Timestamp, next: &str) -> Result<(), Code> {
    let (header, dest) = (letter.header(), letter.to[0].ministry());
    match rules.still_allows(now, &case(&header, dest, &[]), Some(&ministry(next))) {
        Ruling::Go(_) => Ok(()),
        Ruling::Wait(_) => Err(Code::NEEDS_RELEASE),
        Ruling::End(refusal) => Err(refusal.code),
    }
}

#[test]
fn what_the_rules_no_longer_allow_is_withdrawn_and_what_is_late_has_expired() {
    let (plm, hub) = ("plm.example", "verkko.example");
    let near = letter("kirjaamo@plm.example", "FI JULK");
    assert_eq!(still(&rules("sm.example"), &near, NOW, plm), Ok(()));
    assert_eq!(still(&rules("sm.example"), &near, NOW.after(31 * DAY), plm), Err(Code::EXPIRED));
    let strict = |rules: &str| rules.replacen("transit = \"clear\"", "forbid = true", 1);
    let strict = rules_by(policy_with(strict), "sm.example");
    assert_eq!(still(&strict, &near, NOW, plm), Err(Code::WITHDRAWN));
    let far = letter("kirjaamo@um.example", "FI JULK");
    assert_eq!(still(&rules("sm.example"), &far, NOW, hub), Ok(()));
    let direct = policy_with(|rules| rules.replacen("transit = \"clear\"", "transit = \"no\"", 1));
    let direct = rules_by(direct, "sm.example");
    assert_eq!(still(&direct, &far, NOW, hub), Err(Code::WITHDRAWN));
    assert_eq!(still(&direct, &near, NOW, plm), Ok(()));
}

#[test]
fn what_has_arrived_is_decided_again_for_its_mailbox() {
    let letter = letter("kirjaamo@plm.example", "FI JULK");
    let (header, dest, path) = (letter.header(), ministry("plm.example"), [ministry("sm.example")]);
    let case = case(&header, &dest, &path);
    assert!(matches!(rules("plm.example").still_allows(NOW, &case, None), Ruling::Go(_)));
    let strict = policy_with(|rules| rules.replacen("ttl = \"30 d\"", "forbid = true", 1));
    let ruling = rules_by(strict, dest.as_str()).still_allows(NOW, &case, None);
    assert!(matches!(ruling, Ruling::End(Refusal { code: Code::WITHDRAWN, .. })), "{ruling:?}");
}

// === who may open it, and who may originate it ===

#[test]
fn a_body_is_sealed_when_its_ministry_can_open_it_and_no_stranger_can() {
    let sealed = Letter { is_sealed: true, ..letter("kirjaamo@um.example", "FI SALP") };
    let (mut header, um) = (sealed.header(), ministry("um.example"));
    let rules = rules("sm.example");
    assert!(
        rules.policy().federation().check_seal(&header, &um).is_ok(),
        "the sender's officers may read it"
    );
    let of = |name, key| key_id(&ministry(name), key);
    let mut counts = |keys| {
        header.sealing.as_mut().unwrap().keys = keys;
        rules.policy().federation().check_seal(&header, &um).is_ok()
    };
    let (old, new) = (of("um.example", Key::Registry), of("um.example", Key::Situation));
    assert!(counts(vec![old.clone()]) && counts(vec![new.clone()]), "both are listed");
    assert!(counts(vec![new, old.clone()]));
    assert!(!counts(vec![old.clone(), of("verkko.example", Key::Registry)]), "a hub may not");
    assert!(!counts(vec![of("sm.example", Key::Release)]), "its recipients must");
    assert!(!counts(vec![of("um.example", Key::Invented)]), "nobody knows whose that is");
    assert!(!counts(vec![old, of("sm.example", Key::Invented)]), "nor that");
}

#[test]
fn a_seal_to_an_invented_key_is_none_at_origin_hub_and_recipient() {
    let tl4 = |to| Letter { is_sealed: true, ..letter(to, "FI TL4") };
    let (near, far) = (tl4("kirjaamo@plm.example"), tl4("kirjaamo@um.example"));
    let salp = Letter { label: Some("FI SALP"), ..far.clone() };
    let way = ["sm.example", "verkko.example"];
    for (at, path, letter) in [
        ("sm.example", &way[..0], &near),
        ("plm.example", &way[..1], &near),
        ("sm.example", &way[..0], &salp),
        ("verkko.example", &way[..1], &salp),
        ("um.example", &way, &far),
    ] {
        assert!(route(at, path, letter).is_ok(), "{at}: sealed as it should be");
        let invented = Letter { is_key_invented: true, ..letter.clone() };
        let refusal = route(at, path, &invented).unwrap_err();
        assert_eq!(refusal.code, Code::POLICY, "{at}: {refusal:?}");
        let dest = letter.to[0].ministry();
        let why = refusal.reasons.iter().find(|why| why.starts_with("SEAL_KEY_UNKNOWN: "));
        assert!(why.is_some_and(|why| why.contains(&format!("{dest}.seal.pub"))), "{refusal:?}");
    }
}

#[test]
fn a_key_that_leaves_the_federation_file_withdraws_what_is_sealed_to_it() {
    let plm = "plm.example";
    let sealed = Letter { is_sealed: true, ..letter("kirjaamo@plm.example", "FI TL4") };
    assert_eq!(still(&rules("sm.example"), &sealed, NOW, plm), Ok(()));
    let both = [Key::Registry, Key::Situation].map(|key| key_text(plm, key)).join(", ");
    let changed = |keys: &str| rules_by(policy_by(|file| file.replace(&both, keys)), "sm.example");
    let new = changed(&key_text(plm, Key::Situation));
    assert_eq!(still(&new, &sealed, NOW, plm), Err(Code::WITHDRAWN));
    let next = changed(&format!("{both}, {}", key_text(plm, Key::Invented)));
    assert_eq!(still(&next, &sealed, NOW, plm), Ok(()), "another one beside it changes nothing");
    let invented = Letter { is_key_invented: true, ..sealed };
    assert_eq!(still(&next, &invented, NOW, plm), Ok(()), "it is listed now");
}

#[test]
fn where_no_sealing_key_is_listed_nothing_can_go_sealed_and_asking_says_so() {
    let plm = "plm.example";
    let both = [Key::Registry, Key::Situation].map(|key| key_text(plm, key)).join(", ");
    let rules = rules_by(policy_by(|file| file.replace(&both, "")), "sm.example");
    let question = Question {
        from: address("kirjaamo@sm.example"),
        to: vec![address("kirjaamo@plm.example")],
        label: Some("FI TL4".parse().unwrap()),
        precedence: Precedence::Routine,
        size: 10,
    };
    let refusal = refused(rules.ask(NOW, &submitter(), &question));
    assert_eq!(refusal.code, Code::POLICY);
    let why = refusal.reasons.iter().find(|why| why.contains("SEAL_KEY_NOT_LISTED: "));
    assert!(why.is_some_and(|why| why.contains("`sealing_keys`")), "{refusal:?}");
    let sealed = Letter { is_sealed: true, ..letter("kirjaamo@plm.example", "FI TL4") };
    assert_eq!(still(&rules, &sealed, NOW, plm), Err(Code::WITHDRAWN));
}

#[test]
fn officers_release_what_is_sealed_to_a_listed_release_key() {
    let held = Letter { is_sealed: true, ..letter("kirjaamo@plm.example", "FI TL3") };
    let release = key_text("sm.example", Key::Release);
    let ruling = |file: &dyn Fn(&str) -> String, letter: &Letter| {
        let (header, submitter) = (letter.header(), submitter());
        let case = case(&header, letter.to[0].ministry(), &[]);
        let case = Case { submitter: Some(&submitter), ..case };
        rules_by(policy_by(file), "sm.example").rule_on(NOW, &case).0
    };
    let as_it_is = ruling(&|file| file.to_owned(), &held);
    assert!(matches!(as_it_is, Ruling::Wait(Need::People(_))), "{as_it_is:?}");
    let another =
        ruling(&|file| file.replace(&release, &key_text("sm.example", Key::Invented)), &held);
    let Ruling::End(refusal) = another else { panic!("{another:?}") };
    let why = refusal.reasons.iter().find(|why| why.starts_with("SEAL_RELEASE_KEY_UNKNOWN: "));
    assert!(why.is_some_and(|why| why.contains("sm.example.release.pub")), "{refusal:?}");
    let unread = ruling(&|file| file.to_owned(), &Letter { officers_read: false, ..held });
    let Ruling::End(refusal) = unread else { panic!("{unread:?}") };
    assert_eq!(refusal.code, Code::NEEDS_RELEASE);
    assert!(refusal.reasons[0].contains("sm.example"), "{refusal:?}");
}

#[test]
fn what_says_that_it_is_sealed_and_is_not_never_becomes_a_message() {
    let sealed = Letter { is_sealed: true, ..letter("kirjaamo@plm.example", "FI TL4") };
    assert!(sealed.joined().is_ok());
    let clear = Letter { is_in_the_clear: true, ..sealed };
    assert_eq!(clear.joined().unwrap_err().code(), Code::SEAL_FALSE);
    let long = Letter { size: 10_000, ..clear };
    assert_eq!(long.joined().unwrap_err().code(), Code::SEAL_FALSE, "long enough is not enough");
}

#[test]
fn a_system_originates_no_more_than_it_is_cleared_for() {
    let clearance = |levels: &[&str]| SystemClearance {
        policy: "FI".into(),
        levels: levels.iter().map(|level| (*level).to_owned()).collect(),
        grants: Vec::new(),
    };
    let rules = |own: Vec<SystemClearance>| {
        let cleared = BTreeMap::from([(submitter(), own)]);
        Rules::new(policy(), ministry("sm.example"), &cleared)
    };
    let sends = |rules: &Rules, label: &'static str| {
        let letter = Letter { is_sealed: true, ..letter("kirjaamo@plm.example", label) };
        let (header, submitter) = (letter.header(), submitter());
        let case = case(&header, letter.to[0].ministry(), &[]);
        let case = Case { submitter: Some(&submitter), ..case };
        matches!(rules.rule_on(NOW, &case).0, Ruling::Go(_))
    };
    let low = rules(vec![clearance(&["JULK"])]);
    assert!(sends(&low, "FI JULK") && !sends(&low, "FI SALP"));
    let both = rules(vec![clearance(&["JULK", "SALP"])]);
    assert!(sends(&both, "FI SALP"));
    let unknown = rules(vec![clearance(&["JULK", "NOSUCH"])]);
    assert!(!sends(&unknown, "FI JULK"), "a clearance that cannot be read is none");
}

#[test]
fn after_the_time_of_its_catalogue_nothing_new_is_taken_and_what_was_is_delivered() {
    let late = NOW.after(400 * DAY);
    let letter = Letter { created: late, ..letter("kirjaamo@plm.example", "FI JULK") };
    let (header, dest, submitter) = (letter.header(), ministry("plm.example"), submitter());
    let new = Case { submitter: Some(&submitter), ..case(&header, &dest, &[]) };
    let rules = rules("sm.example");
    let ruling = rules.rule_on(late, &new).0;
    assert!(matches!(ruling, Ruling::End(Refusal { code: Code::POLICY_EXPIRED, .. })));
    let taken = case(&header, &dest, &[]);
    assert!(matches!(rules.still_allows(late, &taken, Some(&dest)), Ruling::Go(_)));
}

// === receipts ===

#[test]
fn a_receipt_goes_straight_back_or_by_the_hub() {
    let hop = |at: &str, to: &str| rules(at).receipt_hop(&ministry(to));
    assert_eq!(hop("plm.example", "sm.example"), Some(ministry("sm.example")));
    assert_eq!(hop("um.example", "sm.example"), Some(ministry("verkko.example")));
    assert_eq!(hop("verkko.example", "sm.example"), Some(ministry("sm.example")));
    assert_eq!(hop("um.example", "nowhere.example"), None);
    assert_eq!(hop("stranger.example", "sm.example"), None);
}
