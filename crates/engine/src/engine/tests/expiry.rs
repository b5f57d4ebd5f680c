//! What was not delivered in time ends with one receipt, wherever it stands.

use std::time::Duration;

use kuriiri_types::{
    Code, ReceiptKind, Refusal, Timestamp, Verdict, limits::BODY_INLINE_BYTES_MAX,
};

use crate::{
    Action, QueueId, Reply, SubscriptionId, Token,
    event::Event,
    testing::{Host, Letter, NOW, accepted, address, delivery_of, ministry},
};

const SENDER: &str = "kirjaamo@sm.example";
const MAILBOX: &str = "tilanne@sm.example";
const PLM: &str = "plm.example";
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A relay where letters wait in one pack, the first one minute, the second two, and so on.
fn host_with(numbers: &[u8], to: &str) -> Host {
    let mut host = Host::new("sm.example");
    let letters: Vec<_> = numbers.iter().map(|n| letter(*n, to)).collect();
    host.submit(&letters);
    host
}

fn letter(number: u8, to: &str) -> Letter {
    let expires = Some(minutes(number));
    Letter { expires, size: BODY_INLINE_BYTES_MAX, ..Letter::new(number, SENDER, &[to]) }
}

fn minutes(number: u8) -> Timestamp {
    NOW.after(MINUTE * u32::from(number))
}

/// The letters of which the sender was told that they expired, in order.
fn expired(host: &Host) -> Vec<u8> {
    let receipts = host.receipts(&address(SENDER)).into_iter();
    let expired = receipts.filter(|(kind, _)| *kind == ReceiptKind::Expired);
    expired.map(|(_, receipt)| receipt.subjects[0].subject.message.as_bytes()[15]).collect()
}

fn want() -> Event {
    Host::want(&address(MAILBOX), 1, 9)
}

/// Nothing but receipts is left.
fn is_clean(host: &Host) -> bool {
    let receipts = QueueId::Receipts(address(SENDER));
    host.disk.packs.keys().all(|key| key.queue == receipts)
        && host.disk.due.iter().all(|(_, key)| key.queue == receipts)
        && host.disk.references.values().all(|left| *left == 0)
}

#[test]
fn each_message_expires_once_in_memory_and_on_disk() {
    for to in [MAILBOX, "kirjaamo@plm.example"] {
        for is_on_disk in [false, true] {
            let mut host = host_with(&[1, 2, 3], to);
            assert_eq!(host.wake, Some(minutes(1)), "asks to be called in time");
            if is_on_disk {
                host = host.restart();
            }
            host.pass(MINUTE);
            assert_eq!(expired(&host), [1]);
            assert_eq!(host.wake, Some(minutes(2)));
            host.pass(MINUTE * 5);
            assert_eq!(expired(&host), [1, 2, 3], "{to}, on disk: {is_on_disk}");
            assert!(is_clean(&host));
            host.pass(MINUTE * 60);
            assert_eq!(expired(&host).len(), 3);
        }
    }
}

#[test]
fn after_one_pack_the_next_is_found() {
    let mut host = host_with(&[1], MAILBOX);
    host.submit(&[letter(2, MAILBOX)]);
    host.pass(MINUTE);
    assert_eq!((expired(&host), host.wake), (vec![1], Some(minutes(2))));
    host.pass(MINUTE);
    assert_eq!(expired(&host), [1, 2]);
}

#[test]
fn what_expired_is_not_delivered_and_the_rest_is() {
    let mut host = host_with(&[1, 2], MAILBOX).restart();
    host.pass(MINUTE);
    let actions = host.step(vec![want()]);
    assert_eq!(Host::delivered(&actions, 1), [2]);
}

#[test]
fn a_restart_remembers_what_has_expired() {
    let mut host = host_with(&[1, 2], MAILBOX);
    host.pass(MINUTE);
    let mut host = host.restart();
    host.pass(MINUTE * 9);
    assert_eq!(expired(&host), [1, 2]);
    assert!(is_clean(&host));
}

#[test]
fn what_is_under_way_does_not_expire_here_until_it_comes_back() {
    let mut host = host_with(&[1], "kirjaamo@plm.example");
    host.link_up(PLM, 1);
    host.pass(MINUTE * 9);
    assert_eq!(expired(&host), [], "its fate is the peer's to tell");
    host.link_down(PLM, 1);
    host.pass(MINUTE);
    assert_eq!(expired(&host), [1]);
    assert!(is_clean(&host));
}

#[test]
fn what_a_receiver_holds_does_not_expire_until_it_leaves() {
    let mut host = host_with(&[1], MAILBOX);
    host.step(vec![want()]);
    host.pass(MINUTE * 9);
    assert_eq!(expired(&host), []);
    host.step(vec![Event::Unsubscribed { subscription: SubscriptionId(1) }]);
    host.pass(MINUTE);
    assert_eq!(expired(&host), [1]);
}

#[test]
fn many_packs_that_expire_at_once_all_end() {
    let mut host = Host::new("sm.example");
    for number in 1..=200 {
        let expires = Some(minutes(1));
        host.submit(&[Letter { expires, ..Letter::new(number, SENDER, &[MAILBOX]) }]);
    }
    let mut host = host.restart();
    host.pass(MINUTE);
    assert_eq!(expired(&host), (1..=200).collect::<Vec<u8>>());
    assert!(is_clean(&host));
}

#[test]
fn a_receiver_that_comes_in_the_step_of_the_expiry_changes_nothing() {
    let mut host = host_with(&[1, 2], MAILBOX).restart();
    host.now = minutes(1);
    let mut actions = host.step(vec![want()]);
    actions.extend(host.pass(Duration::ZERO));
    assert_eq!(Host::delivered(&actions, 1), [2]);
    assert_eq!(expired(&host), [1]);
    assert_eq!(host.waiting(&QueueId::Mailbox(address(MAILBOX))), 1);
}

#[test]
fn a_link_that_comes_in_the_step_of_the_expiry_changes_nothing() {
    let mut host = host_with(&[1], "kirjaamo@plm.example").restart();
    host.now = minutes(1);
    let mut actions = host.link_up(PLM, 1);
    actions.extend(host.pass(Duration::ZERO));
    assert_eq!(Host::batches(&actions), []);
    assert_eq!(expired(&host), [1]);
    assert_eq!(host.waiting(&QueueId::Outbox(ministry(PLM))), 0);
    assert!(is_clean(&host));
}

#[test]
fn a_receipt_that_waited_for_weeks_at_two_relays_is_taken_and_taken_once() {
    let mut host = Host::new("sm.example");
    let letter = Letter::new(1, SENDER, &["kirjaamo@plm.example"]);
    let hand_over = |host: &mut Host, receipt: &kuriiri_tlog::VerifiedReceipt| {
        let (peer, token, receipts) = (ministry(PLM), Token(8), vec![Ok(receipt.clone())]);
        let event = Event::ReceiptsArrived { peer, token, receipts };
        let answer = host.step(vec![event]).into_iter().next();
        let Some(Action::Answer(_, Reply::Verdicts { verdicts, .. })) = answer else {
            panic!("{answer:?}");
        };
        verdicts[0].clone()
    };
    host.submit(std::slice::from_ref(&letter));
    host.link_up(PLM, 1);
    host.answer(PLM, (1, 0), vec![accepted(NOW)]);
    let late = delivery_of(&letter, NOW.after(30 * DAY));
    host.now = NOW.after(30 * DAY).after(61 * DAY);
    let taken = host.now;
    assert_eq!(hand_over(&mut host, &late), accepted(taken));
    host.pass(MINUTE);
    let mut host = host.restart();
    let repeat = Verdict::Accepted { at: taken, repeat: true };
    assert_eq!(hand_over(&mut host, &late), repeat);
    let kinds = host.receipts(&address(SENDER)).into_iter().map(|(kind, _)| kind);
    assert_eq!(kinds.collect::<Vec<_>>(), [ReceiptKind::Delivered]);
    let older = delivery_of(&letter, NOW.after(28 * DAY));
    assert_eq!(hand_over(&mut host, &older), Verdict::Refused(Refusal::bare(Code::EXPIRED)));
}
