//! Everything that happens is written, in the commit that makes it so.

use std::time::Duration;

use bytes::Bytes;
use kuriiri_types::{
    ApprovalAct, Code, Direction, Giver, LoggedRuling, Receipt, ReceiptKind, Refusal, Subject,
    Timestamp, Verdict, limits::LOG_RETENTION_MIN,
};

use super::*;
use crate::{
    Action, Certificate, LogConfig, PackKey, QueueId, Reply, Write,
    testing::{
        Memory, NOW, SOFTWARE, accepted, address, approval_of, change_of, config, delivery_of,
        files_with, one_by_one, receipt_of, stated,
    },
};

const BOOT: [&str; 1] = ["BOOT"];

/// What is written of six files that two persons have signed, one of them in two parts.
fn files_written() -> Vec<&'static str> {
    let (certificates, files) = (["CERTIFICATE"; 2], ["FILE"; 13]);
    [&certificates[..], &files, &["POLICY_CHANGE"]].concat()
}

fn puts(host: &Host, queue: &QueueId) -> bool {
    let is_put = |write: &Write| matches!(write, Write::PutPack(PackKey { queue: to, .. }, _) if to == queue);
    host.commit.writes.iter().any(is_put)
}

fn ends(host: &Host, queue: &QueueId) -> bool {
    let is_end = |write: &Write| {
        let Write::DeletePack(key) = write else { return false };
        key.queue == *queue
    };
    host.commit.writes.iter().any(is_end)
}

fn outbox(peer: &str) -> QueueId {
    QueueId::Outbox(ministry(peer))
}

/// The one decision that the last step wrote.
fn decided(host: &Host) -> Decided {
    let mut decided = decisions(host.written());
    assert_eq!(decided.len(), 1, "{decided:?}");
    decided.remove(0)
}

/// The chains that an entry of the last step is a link of.
fn chains(host: &Host, place: usize) -> Vec<(String, Direction, u64)> {
    let entry = host.written().remove(place);
    entry.channels.iter().map(|c| (c.peer.to_string(), c.direction, c.seq)).collect()
}

/// What the receipts that the last step wrote say.
fn said(host: &Host) -> Vec<(ReceiptKind, String, Option<Code>, Option<Giver>)> {
    let said = host.written().into_iter().filter_map(|entry| {
        let LogEvent::Receipt(said) = entry.event else { return None };
        Some(one_by_one(said))
    });
    let told =
        |said: Receipt| (said.kind, said.subjects[0].recipient.to_string(), said.code, said.by);
    said.flatten().map(told).collect()
}

// === starting ===

#[test]
fn a_start_is_written_and_what_it_finds_in_force_only_if_it_is_new() {
    let mut host = Host::new("sm.example");
    assert_eq!(host.kinds(), [&BOOT[..], &files_written()].concat());
    assert!(host.commit.writes.contains(&Write::PutStart(1)));
    let entry = host.written().remove(0);
    assert_eq!(entry.event, LogEvent::Booted { software: SOFTWARE.to_owned() });
    assert_eq!((entry.boot, entry.at, entry.channels.len()), (1, NOW, 0));
    host = host.restart();
    assert_eq!(host.kinds(), BOOT);
    assert_eq!(host.written()[0].boot, 2);
    let mut other = config(&ministry("sm.example"));
    other.files = files_with(|rules| rules.replace("serial = 42", "serial = 43"));
    let host = Host::start_as(other, host.disk, NOW);
    assert_eq!(host.kinds(), [&BOOT[..], &files_written()].concat());
}

#[test]
fn a_log_that_goes_on_from_a_lost_one_says_so_first_and_once() {
    let lost = Bytes::from_static(b"the last that a witness held");
    let start = |disk| {
        let config = config(&ministry("sm.example"));
        let log = LogConfig { restored: Some(lost.clone()), ..config.log };
        Host::start_as(crate::Config { log, ..config }, disk, NOW)
    };
    let host = start(Memory::default());
    assert_eq!(host.kinds()[..2], ["RESTORE", "BOOT"]);
    assert_eq!(host.written()[0].event, LogEvent::Restored { checkpoint: lost.clone() });
    assert_eq!(start(host.disk).kinds(), BOOT);
}

// === messages ===

#[test]
fn a_submission_is_written_with_its_decision_and_its_receipt() {
    let mut host = Host::new("sm.example");
    host.submit(&[letter(1)]);
    assert_eq!(host.kinds(), ["DECIDED", "ACCEPTED"]);
    assert!(puts(&host, &outbox("plm.example")));
    let system = system(&address(SENDER));
    let (message, giver) = (letter(1).verified(), Giver::System(system));
    let expected = Decided {
        giver: Some(giver.clone()),
        path: Vec::new(),
        dest: ministry("plm.example"),
        next: Some("plm".into()),
        clearances: None,
        approvals: Vec::new(),
        policy: files_with(str::to_owned).digest(),
        semantics: kuriiri_policy::SEMANTICS,
        ruling: LoggedRuling::Permit,
        reasons: Vec::new(),
        batch: kuriiri_seal::join(&[&message.envelope().proof]),
        keep_until: Some(NOW.after(LOG_RETENTION_MIN)),
        subjects: vec![Subject { message: letter(1).id(), header: message.leaf() }],
    };
    assert_eq!(decided(&host), expected);
    assert_eq!(chains(&host, 0), [("plm.example".into(), Direction::Out, 0)]);
    assert_eq!(chains(&host, 1), []);
    assert_eq!(said(&host), [(ReceiptKind::Accepted, RECIPIENT.into(), None, Some(giver))]);
}

#[test]
fn a_submission_for_several_has_a_decision_for_each_and_its_header_once() {
    let mut host = Host::new("sm.example");
    let to = [RECIPIENT, "kirjaamo@um.example", "tilanne@sm.example"];
    host.submit(&[Letter::new(1, SENDER, &to)]);
    let mut kinds = host.kinds();
    assert_eq!(kinds.split_off(3), ["ACCEPTED"]);
    assert_eq!(kinds, ["DECIDED"; 3]);
    let ways: Vec<_> = decisions(host.written())
        .into_iter()
        .map(|d| (d.dest.to_string(), d.next, d.batch.is_some()))
        .collect();
    let expected = [
        ("plm.example".to_owned(), Some("plm".to_owned()), true),
        ("um.example".to_owned(), Some("hub".to_owned()), false),
        ("sm.example".to_owned(), None, false),
    ];
    assert_eq!(ways, expected);
    let chained: Vec<_> = (0..3).flat_map(|place| chains(&host, place)).collect();
    let out = |peer: &str| (peer.to_owned(), Direction::Out, 0);
    assert_eq!(chained, [out("plm.example"), out("verkko.example")]);
}

#[test]
fn a_refusal_is_written_with_what_the_rules_said() {
    let mut host = Host::new("sm.example");
    let secret = Letter { label: Some("FI TL1 REL{SM,PLM}"), ..letter(1) };
    host.submit(&[secret]);
    assert_eq!(host.kinds(), ["DECIDED", "REFUSED"]);
    let decided = decided(&host);
    assert_eq!(decided.ruling, LoggedRuling::Deny);
    assert!(!decided.reasons.is_empty() && decided.batch.is_some());
    assert_eq!(chains(&host, 0), [], "it goes nowhere");
    assert_eq!(said(&host)[0].2, Some(Code::POLICY));
    let late = Letter { expires: Some(NOW), ..letter(2) };
    host.submit(&[late]);
    assert_eq!(host.kinds(), ["REFUSED"], "the rules were not asked");
    assert_eq!(said(&host)[0].2, Some(Code::EXPIRED));
}

#[test]
fn an_arrival_is_written_with_its_decision_and_its_receipt() {
    let mut host = Host::new("plm.example");
    host.arrive(&["sm.example"], &[letter(1)]);
    assert_eq!(host.kinds(), ["DECIDED", "RECEIVED"]);
    assert!(puts(&host, &QueueId::Mailbox(address(RECIPIENT))));
    let Decided { path, giver, next, subjects, ruling, .. } = decided(&host);
    let by = Some(Giver::Peer(ministry("sm.example")));
    assert_eq!((path, &giver, next), (vec![ministry("sm.example")], &by, None));
    assert_eq!(subjects[0].header, letter(1).verified().leaf());
    assert_eq!(ruling, LoggedRuling::Permit);
    assert_eq!(chains(&host, 0), [("sm.example".into(), Direction::In, 0)]);
    assert_eq!(said(&host), [(ReceiptKind::Relayed, RECIPIENT.into(), None, by)]);
    host.arrive(&["sm.example"], &[Letter { label: Some("FI TL4"), ..letter(2) }]);
    assert_eq!(host.kinds(), ["DECIDED", "REFUSED"]);
    assert_eq!(decided(&host).ruling, LoggedRuling::Deny);
    assert_eq!(chains(&host, 0), [("sm.example".into(), Direction::In, 1)]);
}

#[test]
fn what_passes_through_is_a_link_of_both_chains() {
    let mut host = Host::new("verkko.example");
    let letter = Letter::new(1, SENDER, &["kirjaamo@um.example"]);
    host.step(vec![arrived(&["sm.example"], &letter, "um.example")]);
    assert_eq!(host.kinds(), ["DECIDED", "RECEIVED"]);
    assert!(puts(&host, &outbox("um.example")));
    assert_eq!(decided(&host).next, Some("um".into()));
    let expected = [("sm.example", Direction::In, 0), ("um.example", Direction::Out, 0)];
    assert_eq!(chains(&host, 0), expected.map(|(peer, to, seq)| (peer.to_owned(), to, seq)));
}

#[test]
fn a_delivery_is_written_when_it_is_confirmed_with_who_confirmed_it() {
    let mut host = Host::new("plm.example");
    host.arrive(&["sm.example"], &[letter(1)]);
    confirm_all(&mut host, RECIPIENT, 1);
    assert_eq!(host.kinds(), ["DELIVERED"]);
    assert!(ends(&host, &QueueId::Mailbox(address(RECIPIENT))));
    assert!(puts(&host, &outbox("sm.example")), "the receipt is on its way");
    let by = Some(Giver::System(system(&address(RECIPIENT))));
    assert_eq!(said(&host), [(ReceiptKind::Delivered, RECIPIENT.into(), None, by)]);
}

#[test]
fn an_expiry_is_written_and_is_no_decision() {
    let mut host = Host::new("sm.example");
    let expires = Some(NOW.after(Duration::from_secs(60)));
    host.submit(&[Letter { expires, ..letter(1) }]);
    host.now = NOW.after(Duration::from_secs(60));
    host.step(Vec::new());
    assert_eq!(host.kinds(), ["EXPIRED"]);
    assert!(ends(&host, &outbox("plm.example")));
    assert_eq!(said(&host)[0].2, Some(Code::EXPIRED));
}

#[test]
fn a_withdrawal_is_written_with_the_decision_of_the_new_rules() {
    let strict = change_of(|rules| rules.replacen("transit = \"clear\"", "forbid = true", 1));
    let mut host = Host::new("sm.example");
    host.submit(&[letter(1)]);
    host.step(vec![strict]);
    assert_eq!(host.kinds(), files_written());
    let in_force = host.commit.log.clone().unwrap().head.policy;
    host.step(Vec::new());
    assert_eq!(host.kinds(), ["DECIDED", "REFUSED"]);
    assert!(ends(&host, &outbox("plm.example")));
    let decided = decided(&host);
    assert_eq!((decided.ruling, Some(decided.policy)), (LoggedRuling::Deny, in_force));
    assert_eq!((decided.next, decided.batch), (Some("plm".into()), None));
}

// === receipts of others ===

#[test]
fn a_receipt_that_comes_in_is_written_once() {
    let mut host = Host::new("sm.example");
    host.submit(&[letter(1)]);
    let delivery = delivery_of(&letter(1), NOW);
    let event = |host: &mut Host| {
        let (peer, token, receipts) =
            (ministry("plm.example"), Token(8), vec![Ok(delivery.clone())]);
        host.step(vec![Event::ReceiptsArrived { peer, token, receipts }]);
    };
    event(&mut host);
    assert_eq!(host.kinds(), ["RECEIPT_IN"]);
    assert!(puts(&host, &QueueId::Receipts(address(SENDER))));
    let receipt = Box::new(delivery.signed().clone());
    let expected = LogEvent::ReceiptIn { from: ministry("plm.example"), receipt };
    assert_eq!(host.written()[0].event, expected);
    event(&mut host);
    assert_eq!(host.kinds(), [""; 0]);
}

/// Any member can sign that a message was refused. It counts only about a message that went through here, from
/// its sender, for its recipient, and from a relay that can be on its way.
#[test]
fn what_is_not_for_its_issuer_to_say_or_about_something_else_is_not_heard() {
    let mut host = Host::new("sm.example");
    let known = Letter::new(1, SENDER, &[RECIPIENT, "kirjaamo@um.example"]);
    host.submit(std::slice::from_ref(&known));
    let stranger = Letter { number: 2, ..known.clone() };
    let other_sender = Letter { from: address("tilanne@sm.example"), ..known.clone() };
    let (plm, um, hub) = ("plm.example", "um.example", "verkko.example");
    let said = |letter: &Letter, to: &str, (kind, issuer): (ReceiptKind, &str)| {
        let mut receipt = receipt_of(letter, &address(to), (kind, issuer), NOW);
        if letter.number == known.number {
            receipt.subjects[0].subject.header = known.verified().leaf();
        }
        stated(vec![receipt]).remove(0)
    };
    let refused = |issuer| (ReceiptKind::Refused, issuer);
    let mut hears = |receipt: kuriiri_tlog::VerifiedReceipt, peer: &str| {
        let (peer, token, receipts) = (ministry(peer), Token(8), vec![Ok(receipt)]);
        let actions = host.step(vec![Event::ReceiptsArrived { peer, token, receipts }]);
        let Some(Action::Answer(_, Reply::Verdicts { verdicts, .. })) = actions.into_iter().next()
        else {
            panic!("an answer");
        };
        let is_written = host.kinds().contains(&"RECEIPT_IN");
        assert_eq!(is_written, matches!(verdicts[0], Verdict::Accepted { .. }));
        is_written
    };
    let unheard = [
        (said(&stranger, RECIPIENT, refused(plm)), plm),
        (said(&other_sender, RECIPIENT, refused(plm)), plm),
        (said(&known, "tilanne@plm.example", refused(plm)), plm),
        (said(&known, "kirjaamo@um.example", refused(plm)), plm),
        (said(&known, RECIPIENT, refused(um)), um),
        (said(&known, "tilanne@sm.example", refused(plm)), plm),
    ];
    for (number, (receipt, peer)) in unheard.into_iter().enumerate() {
        assert!(!hears(receipt, peer), "{number}");
    }
    assert!(hears(said(&known, "kirjaamo@um.example", refused(hub)), hub), "a hub on the way");
    assert!(hears(said(&known, RECIPIENT, (ReceiptKind::Delivered, plm)), plm));
}

#[test]
fn what_a_peer_answers_with_is_written_when_its_message_ends_here() {
    let mut host = Host::new("sm.example");
    host.submit(&[letter(1), letter(2)]);
    host.link_up("plm.example", 1);
    let refused = Verdict::Refused(Refusal::bare(Code::POLICY));
    let verdicts = vec![accepted(NOW), refused];
    let owed = host.owed("plm.example", (1, 0), &verdicts);
    host.answer("plm.example", (1, 0), verdicts);
    assert_eq!(host.kinds(), ["RECEIPT_IN", "RECEIPT_IN", "REFUSED"]);
    assert!(ends(&host, &outbox("plm.example")));
    for (entry, owed) in host.written().into_iter().zip(owed) {
        let LogEvent::ReceiptIn { receipt, .. } = entry.event else { panic!("{entry:?}") };
        assert_eq!(*receipt, *owed.signed());
    }
}

// === what is not read, and who signed ===

#[test]
fn what_is_turned_away_is_counted_by_reason_and_giver() {
    let mut host = Host::new("plm.example");
    let (forged, broken) = (Refusal::bare(Code::SIGNATURE), Refusal::bare(Code::MALFORMED));
    let unread = || vec![forged.clone(), broken.clone(), forged.clone()];
    let turned_away = |host: &Host| -> Vec<_> {
        let entries = host.written().into_iter();
        let counted = entries.filter_map(|entry| {
            let LogEvent::TurnedAway { by, code, count } = entry.event else { return None };
            Some((by, code, count))
        });
        counted.collect()
    };
    let from = |by: Giver| [(by.clone(), Code::SIGNATURE, 2), (by, Code::MALFORMED, 1)];
    let counts = |host: &Host, by: Giver| {
        let mut expected = from(by);
        expected.sort_by_key(|(_, code, _)| *code);
        assert_eq!(turned_away(host), expected);
    };
    let ours = Letter::new(1, RECIPIENT, &["tilanne@plm.example"]);
    host.step(vec![submitted(&[ours], unread())]);
    counts(&host, Giver::System(system(&address(RECIPIENT))));
    let mut event = arrived(&["sm.example"], &letter(2), "plm.example");
    if let Event::Arrived { parcels, .. } = &mut event {
        parcels.extend(unread().into_iter().map(Err));
    }
    host.step(vec![event]);
    counts(&host, Giver::Peer(ministry("sm.example")));
    // More of the same from the same giver is counted, and written when the minute is over.
    let receipts = unread().into_iter().map(Err).collect();
    let (peer, token) = (ministry("sm.example"), Token(8));
    host.step(vec![Event::ReceiptsArrived { peer, token, receipts }]);
    assert_eq!((turned_away(&host), host.commit.is_empty()), (Vec::new(), true));
    assert!(host.wake.unwrap() <= NOW.after(Duration::from_secs(60)));
    host.now = NOW.after(Duration::from_secs(60));
    host.step(Vec::new());
    counts(&host, Giver::Peer(ministry("sm.example")));
    host.pass(Duration::from_secs(600));
    assert_eq!(turned_away(&host), [], "nothing came, nothing is said");
}

#[test]
fn a_certificate_is_written_before_what_it_signed() {
    let mut host = Host::new("sm.example");
    let der = Bytes::from_static(b"a certificate");
    let fingerprint = letter(1).verified().envelope().proof.signer;
    let certificate = Certificate { fingerprint, der: der.clone() };
    let with = |number| {
        let mut event = submitted(&[letter(number)], Vec::new());
        if let Event::Submitted { certificates, .. } = &mut event {
            certificates.push(certificate.clone());
        }
        event
    };
    host.step(vec![with(1), with(2)]);
    let once = ["CERTIFICATE", "DECIDED", "DECIDED", "ACCEPTED"];
    assert_eq!(host.kinds(), once);
    assert_eq!(host.written()[0].event, LogEvent::Certificate { der });
    assert!(host.commit.writes.contains(&Write::PutCertificate(certificate.clone())));
    host.step(vec![with(3)]);
    assert_eq!(host.kinds(), ["DECIDED", "ACCEPTED"]);
    // A run does not look what the one before kept.
    let mut host = host.restart();
    host.step(vec![with(4)]);
    assert_eq!(host.kinds(), ["CERTIFICATE", "DECIDED", "ACCEPTED"]);
}

// === officers ===

/// A letter that two officers must release.
fn secret() -> Letter {
    let letter = Letter::new(1, RECIPIENT, &["kirjaamo@um.example"]);
    Letter { label: Some("FI TL2 REL{UM, PLM}"), is_sealed: true, ..letter }
}

fn approved(host: &Host) -> Vec<LogEvent> {
    let is_word = |event: &LogEvent| matches!(event, LogEvent::Approved { .. });
    host.written().into_iter().map(|entry| entry.event).filter(is_word).collect()
}

#[test]
fn a_word_that_counts_is_written_and_so_is_what_comes_of_it() {
    let mut host = Host::new("plm.example");
    host.submit(&[secret()]);
    assert_eq!(host.kinds(), ["DECIDED", "ACCEPTED"]);
    let held = decided(&host);
    assert_eq!((held.ruling, held.next), (LoggedRuling::Hold, Some("um".into())));
    assert_eq!(held.reasons, ["APPROVALS:0/2"]);
    assert_eq!(chains(&host, 0), [], "it has not gone yet");
    let words = ["anna", "bertta"].map(|name| approval_of(&secret(), name, 2, |_| {}));
    let subject = secret().verified().leaf();
    host.approve(words[0].clone());
    let written = |word: &kuriiri_seal::VerifiedApproval| LogEvent::Approved {
        subject,
        approval: word.signed().clone(),
    };
    assert_eq!((host.kinds(), approved(&host)), (vec!["APPROVED"], vec![written(&words[0])]));
    assert!(matches!(host.commit.writes[..], [Write::PutHold(..)]), "{:?}", host.commit.writes);
    host.approve(words[1].clone());
    assert_eq!(host.kinds(), ["APPROVED", "DECIDED"]);
    assert_eq!(approved(&host), [written(&words[1])]);
    assert!(puts(&host, &outbox("um.example")));
    let released = decided(&host);
    assert_eq!((released.ruling, released.giver), (LoggedRuling::Permit, None));
    assert_eq!(released.approvals, words.map(|word| word.signed().clone()));
    assert_eq!(chains(&host, 1), [("um.example".into(), Direction::Out, 0)]);
}

#[test]
fn a_rejection_is_written_and_a_void_word_is_not() {
    let mut host = Host::new("plm.example");
    host.submit(&[secret()]);
    host.approve(approval_of(&secret(), "anna", 1, |_| {}));
    assert_eq!(host.kinds(), [""; 0]);
    let act = ApprovalAct::Reject { note: String::new() };
    host.approve(approval_of(&secret(), "anna", 2, |given| given.act = act));
    assert_eq!(host.kinds(), ["APPROVED", "REFUSED"]);
    assert_eq!(said(&host)[0].2, Some(Code::RELEASE_REJECTED));
}

#[test]
fn what_has_to_wait_again_is_written_when_the_rules_want_people_for_it() {
    let mut host = Host::new("plm.example");
    let letter = Letter::new(1, RECIPIENT, &["kirjaamo@um.example"]);
    host.submit(&[Letter { label: Some("FI SALP"), is_sealed: true, ..letter }]);
    assert_eq!(chains(&host, 0), [("um.example".into(), Direction::Out, 0)]);
    let with_officer = "level = \"SALP\"\napprovals = 1";
    host.step(vec![change_of(|rules| rules.replacen("level = \"SALP\"", with_officer, 1))]);
    host.step(Vec::new());
    assert_eq!((host.kinds(), host.disk.holds.len()), (vec!["DECIDED"], 1));
    assert!(ends(&host, &outbox("um.example")));
    assert_eq!(decided(&host).ruling, LoggedRuling::Hold);
    assert_eq!(chains(&host, 0), [], "it does not go");
}

// === the clock ===

#[test]
fn a_clock_that_was_set_back_is_written_before_what_it_dates() {
    let mut host = Host::new("sm.example");
    host.now = NOW.after(Duration::from_secs(9));
    host.submit(&[letter(1)]);
    let at = |host: &Host| host.written().iter().map(|entry| entry.at).collect::<Vec<_>>();
    assert_eq!(at(&host), [host.now; 2]);
    host.now = NOW.after(Duration::from_secs(2));
    host.submit(&[letter(2)]);
    assert_eq!(host.kinds(), ["CLOCK_STEP", "DECIDED", "ACCEPTED"]);
    let from = NOW.after(Duration::from_secs(9));
    assert_eq!(host.written()[0].event, LogEvent::ClockStepped { from });
    assert_eq!(at(&host), [host.now; 3]);
    let earlier = Timestamp::from_millis(NOW.as_millis());
    host.now = earlier;
    let host = host.restart();
    assert_eq!(host.kinds(), ["CLOCK_STEP", "BOOT"], "and over a restart");
}
