//! Receipts are entries: handed out with their proofs, and the same ones for ever.

use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{
    Code, Receipt, ReceiptKind, Refusal, SignedReceipt, Verdict, limits::SAID_AGAIN_BYTES_MAX,
};

use super::*;
use crate::{
    Action, ReceiptMode, Reply, SubscriptionId,
    testing::{NOW, accepted, address, delivery_of, receipt_of, stated, verified},
};

/// What of a receipt never changes; its proof is for the log as it stands.
fn essence(receipts: &[SignedReceipt]) -> Vec<(u64, bytes::Bytes)> {
    receipts.iter().map(|receipt| (receipt.index, receipt.entry.clone())).collect()
}

/// The receipts that answers of the host gave since they were asked for last.
fn answered(host: &mut Host) -> Vec<(u64, bytes::Bytes)> {
    essence(&std::mem::take(&mut host.answered))
}

fn wanted(subscription: u64, mode: ReceiptMode) -> Event {
    let address = address(SENDER);
    let (system, subscription) = (system(&address), SubscriptionId(subscription));
    Event::ReceiptsWanted { system, subscription, address, mode }
}

fn shown(host: &Host, actions: &[Action]) -> Vec<SignedReceipt> {
    actions.iter().flat_map(|action| host.handed_out(action)).collect()
}

fn kinds(receipts: &[SignedReceipt]) -> Vec<ReceiptKind> {
    receipts.iter().map(|receipt| verified(receipt).receipt().kind).collect()
}

#[test]
fn a_repeat_gets_the_first_receipts_and_writes_nothing() {
    let mut host = Host::new("sm.example");
    let both = Letter::new(1, SENDER, &[RECIPIENT, "kirjaamo@um.example"]);
    host.submit(&[both.clone(), letter(2)]);
    let first = answered(&mut host);
    assert_eq!(first.len(), 1, "one statement about both");
    for restarts in [false, true] {
        if restarts {
            host = host.restart();
        }
        host.submit(&[letter(3)]);
        answered(&mut host);
        host.now = host.now.after(std::time::Duration::from_secs(5));
        host.submit(&[letter(2), both.clone()]);
        assert_eq!(host.commit.log, None);
        assert_eq!(answered(&mut host), first, "after a restart: {restarts}");
    }
}

#[test]
fn a_repeat_in_the_same_step_gets_the_same_receipt() {
    let mut host = Host::new("plm.example");
    host.arrive(&["sm.example"], &[letter(1), letter(1)]);
    assert_eq!(host.kinds(), ["DECIDED", "RECEIVED"]);
    assert_eq!(answered(&mut host).len(), 1);
}

#[test]
fn a_repeat_of_a_peer_gets_the_first_receipts_for_its_copy() {
    let mut host = Host::new("verkko.example");
    let to = ["kirjaamo@um.example", "tilanne@um.example", "kirjaamo@sm.example"];
    let letter = Letter::new(1, "kirjaamo@plm.example", &to);
    let mut copies = Vec::new();
    for _ in 0..2 {
        let mut both = Vec::new();
        for dest in ["um.example", "sm.example"] {
            host.step(vec![arrived(&["plm.example"], &letter, dest)]);
            both.push(answered(&mut host));
        }
        copies.push(both);
        host = host.restart();
    }
    assert_eq!(copies[0], copies[1]);
    assert_eq!(copies[0].iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn a_held_message_that_comes_again_gets_its_first_receipt() {
    let mut host = Host::new("plm.example");
    let secret = Letter::new(1, RECIPIENT, &["kirjaamo@um.example"]);
    let secret = Letter { label: Some("FI TL3"), is_sealed: true, ..secret };
    host.submit(std::slice::from_ref(&secret));
    let first = answered(&mut host);
    let mut host = host.restart();
    host.submit(&[secret]);
    assert_eq!((host.commit.log.clone(), answered(&mut host)), (None, first));
}

#[test]
fn receipts_that_waited_on_disk_are_handed_out_with_proofs() {
    let mut host = Host::new("sm.example");
    let lost = Letter { expires: Some(NOW.after(std::time::Duration::from_secs(60))), ..letter(1) };
    host.submit(&[lost, letter(2)]);
    let (peer, token) = (ministry("plm.example"), Token(8));
    let receipts = vec![Ok(delivery_of(&letter(2), NOW))];
    host.step(vec![Event::ReceiptsArrived { peer, token, receipts }]);
    host.pass(std::time::Duration::from_secs(60));
    let expected = [ReceiptKind::Delivered, ReceiptKind::Expired];
    for subscription in [1, 2] {
        host = host.restart();
        let watch = wanted(subscription + 10, ReceiptMode::Watch(Some(0)));
        let actions = host.step(vec![watch]);
        let watched = shown(&host, &actions);
        assert_eq!(kinds(&watched), expected);
        let actions = host.step(vec![wanted(subscription, ReceiptMode::Consume)]);
        let consumed = shown(&host, &actions);
        assert_eq!(kinds(&consumed), expected);
        assert_eq!(essence(&consumed), essence(&watched));
        // With more in the log the proof is another, and the receipt is not.
        host.submit(&[letter(u8::try_from(subscription).unwrap() + 10)]);
    }
}

#[test]
fn a_statement_in_other_words_again_and_again_does_not_fill_the_log() {
    let mut host = Host::new("sm.example");
    let letter = letter(1);
    host.submit(std::slice::from_ref(&letter));
    let said = |number: u32| {
        let (at, kind) =
            (NOW.after(std::time::Duration::from_millis(number.into())), ReceiptKind::Refused);
        let receipt = receipt_of(&letter, &letter.to[0], (kind, "plm.example"), at);
        // As large as a statement may be.
        Receipt { reasons: vec!["n".repeat(128); 64], code: Some(Code::EXPIRED), ..receipt }
    };
    let bytes = |receipts: &[VerifiedReceipt]| -> usize {
        receipts.iter().map(|receipt| receipt.signed().entry.len()).sum()
    };
    let most = usize::try_from(SAID_AGAIN_BYTES_MAX).unwrap();
    let count = u32::try_from(most / bytes(&stated(vec![said(0)]))).unwrap() + 9;
    let statements = stated((0..count).map(said).collect());
    let receipts = statements.iter().cloned().map(Ok).collect();
    let event = Event::ReceiptsArrived { peer: ministry("plm.example"), token: Token(8), receipts };
    let answer = host.step(vec![event]).into_iter().next();
    let Some(Action::Answer(Token(8), Reply::Verdicts { verdicts, .. })) = answer else {
        panic!("no verdicts")
    };
    let taken = verdicts.iter().filter(|verdict| **verdict == accepted(NOW)).count();
    let refused = Verdict::Refused(Refusal::bare(Code::SAID_BEFORE));
    assert!(verdicts[taken..].iter().all(|verdict| *verdict == refused), "{:?}", verdicts[taken]);
    assert!(bytes(&statements[1..taken]) <= most && taken < statements.len());
    assert_eq!(host.kinds(), vec!["RECEIPT_IN"; taken]);
}

#[test]
fn receipts_for_a_peer_that_waited_on_disk_are_sent_with_proofs() {
    let mut host = Host::new("plm.example");
    host.arrive(&["sm.example"], &[letter(1)]);
    confirm_all(&mut host, RECIPIENT, 1);
    let mut host = host.restart();
    let actions = host.link_up("sm.example", 1);
    let sent = shown(&host, &actions);
    assert_eq!(kinds(&sent), [ReceiptKind::Delivered]);
    let mut other = Host::new("sm.example");
    other.submit(&[letter(1)]);
    let (peer, token, receipts) = (ministry("plm.example"), Token(8), vec![Ok(verified(&sent[0]))]);
    other.step(vec![Event::ReceiptsArrived { peer, token, receipts }]);
    let mut other = other.restart();
    let actions = other.step(vec![wanted(1, ReceiptMode::Consume)]);
    let read = shown(&other, &actions);
    assert_eq!(read, sent, "what came in goes out again as it came");
}

#[test]
fn a_sender_hears_of_the_relay_that_has_its_message_by_that_relays_own_receipt() {
    let mut host = Host::new("sm.example");
    host.submit(&[letter(1)]);
    host.link_up("plm.example", 1);
    let owed = host.owed("plm.example", (1, 0), &[accepted(NOW)]);
    host.answer("plm.example", (1, 0), vec![accepted(NOW)]);
    let actions = host.step(vec![wanted(1, ReceiptMode::Consume)]);
    let read = shown(&host, &actions);
    assert_eq!(read, owed.iter().map(|owed| owed.signed().clone()).collect::<Vec<_>>());
}
