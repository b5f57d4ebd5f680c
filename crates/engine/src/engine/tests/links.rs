//! Handing to peers: batches, verdicts, links that come and go.

use std::time::Duration;

use kuriiri_types::{
    Code, ReceiptKind, Refusal, Verdict,
    limits::{BATCH_MESSAGES_MAX, BATCHES_IN_FLIGHT_MAX, MESSAGE_TTL_MAX, RETRY_GRACE},
};

use crate::{
    Action, Event, QueueId,
    testing::{Host, Letter, NOW, accepted, address, change_of, ministry},
};

const PLM: &str = "plm.example";
const SENDER: &str = "kirjaamo@sm.example";
const RECIPIENT: &str = "kirjaamo@plm.example";
const OTHER: &str = "tilanne@sm.example";

/// A relay where letters of these numbers wait for a peer, each from a commit of its own.
fn host_with(numbers: &[u8]) -> Host {
    let mut host = Host::new("sm.example");
    for number in numbers {
        host.submit(&[Letter::new(*number, SENDER, &[RECIPIENT])]);
    }
    host
}

fn waiting(host: &Host) -> u64 {
    host.waiting(&QueueId::Outbox(ministry(PLM)))
}

/// What the sender was told, in order: of which letter, and what.
fn told(host: &Host) -> Vec<(u8, ReceiptKind, Option<Code>)> {
    let receipts = host.receipts(&address(SENDER)).into_iter();
    receipts.map(|(kind, r)| (r.subjects[0].subject.message.as_bytes()[15], kind, r.code)).collect()
}

// === verdicts ===

#[test]
fn a_verdict_ends_the_time_of_a_message_here_and_its_sender_is_told() {
    let mut host = host_with(&[1, 2, 3]);
    let actions = host.link_up(PLM, 5);
    assert_eq!(Host::batches(&actions), [(5, 0, 0, vec![1, 2, 3])]);
    assert_eq!(waiting(&host), 3, "under way is not over");
    let refused = Verdict::Refused(Refusal::bare(Code::POLICY));
    let repeat = Verdict::Accepted { at: NOW, repeat: true };
    host.answer(PLM, (5, 0), vec![accepted(NOW), refused, repeat]);
    assert_eq!(waiting(&host), 0);
    let expected = [
        // The peer's statement about both comes before this relay's own.
        (1, ReceiptKind::Relayed, None),
        (3, ReceiptKind::Relayed, None),
        (2, ReceiptKind::Refused, Some(Code::POLICY)),
    ];
    assert_eq!(told(&host), expected);
    assert!(host.disk.packs.keys().all(|key| key.queue == QueueId::Receipts(address(SENDER))));
}

#[test]
fn what_got_no_verdict_is_sent_again_after_a_rest_in_a_new_epoch() {
    let mut host = host_with(&[1, 2, 3]);
    host.link_up(PLM, 5);
    let actions = host.answer(PLM, (5, 0), vec![accepted(NOW)]);
    assert_eq!(Host::batches(&actions), [], "the lane rests");
    let rest = host.wake.unwrap().since(host.now);
    assert!(rest > Duration::ZERO);
    let actions = host.pass(rest);
    assert_eq!(Host::batches(&actions), [(5, 1, 1, vec![2, 3])]);
    host.answer(PLM, (5, 1), vec![accepted(NOW), accepted(NOW)]);
    assert_eq!((waiting(&host), told(&host).len()), (0, 3));
}

#[test]
fn a_busy_peer_gets_what_it_left_before_what_came_later() {
    let mut host = host_with(&[1, 2]);
    host.link_up(PLM, 5);
    host.submit(&[Letter::new(3, SENDER, &[RECIPIENT])]);
    let actions = host.answer(PLM, (5, 0), vec![accepted(NOW), Verdict::Busy]);
    assert_eq!(Host::batches(&actions), []);
    let actions = host.pass(Duration::from_secs(60));
    assert_eq!(Host::batches(&actions), [], "a batch of the old epoch is still under way");
    host.answer(PLM, (5, 1), vec![Verdict::Busy]);
    let actions = host.pass(Duration::from_secs(60));
    assert_eq!(Host::batches(&actions), [(5, 2, 1, vec![2, 3])]);
}

#[test]
fn more_verdicts_than_messages_and_unknown_batches_change_nothing() {
    let mut host = host_with(&[1]);
    host.link_up(PLM, 5);
    for (link, batch) in [(5, 9), (4, 0)] {
        host.answer(PLM, (link, batch), vec![accepted(NOW)]);
        assert_eq!((waiting(&host), host.commit.is_empty()), (1, true));
    }
    host.answer(PLM, (5, 0), vec![accepted(NOW); 9]);
    host.answer(PLM, (5, 0), vec![accepted(NOW)]);
    assert_eq!(told(&host), [(1, ReceiptKind::Relayed, None)]);
}

#[test]
fn only_so_many_batches_are_under_way() {
    let mut host = Host::new("sm.example");
    host.link_up(PLM, 5);
    for number in 0..=BATCHES_IN_FLIGHT_MAX {
        host.submit(&[Letter::new(number.try_into().unwrap(), SENDER, &[RECIPIENT])]);
    }
    let last = BATCHES_IN_FLIGHT_MAX as u64;
    let actions = host.answer(PLM, (5, 3), vec![accepted(NOW)]);
    assert_eq!(Host::batches(&actions), [(5, last, 0, vec![8])]);
}

#[test]
fn a_batch_has_no_more_messages_than_it_may() {
    let mut host = host_with(&(0..=u8::MAX).collect::<Vec<_>>());
    host.submit(&[Letter::new(0, OTHER, &[RECIPIENT])]);
    let actions = host.link_up(PLM, 5);
    let sizes: Vec<_> = Host::batches(&actions).iter().map(|(.., load)| load.len()).collect();
    assert_eq!(sizes, [BATCH_MESSAGES_MAX, 1]);
}

// === links ===

#[test]
fn a_lost_link_takes_everything_back_in_order_and_numbers_begin_anew() {
    let mut host = Host::new("sm.example");
    host.link_up(PLM, 5);
    for number in 1..=5 {
        host.submit(&[Letter::new(number, SENDER, &[RECIPIENT])]);
    }
    host.answer(PLM, (5, 1), vec![accepted(NOW)]);
    let actions = host.link_down(PLM, 5);
    assert_eq!(Host::batches(&actions), []);
    host.answer(PLM, (5, 0), vec![accepted(NOW)]);
    assert_eq!(waiting(&host), 4, "an answer from a lost link means nothing");
    host.submit(&[Letter::new(6, SENDER, &[RECIPIENT])]);
    let actions = host.link_up(PLM, 6);
    assert_eq!(Host::batches(&actions), [(6, 0, 0, vec![1, 3, 4, 5, 6])]);
}

#[test]
fn a_new_link_in_the_place_of_another_takes_everything_back_too() {
    let mut host = host_with(&[1, 2]);
    host.link_up(PLM, 5);
    let actions = host.link_up(PLM, 6);
    assert_eq!(Host::batches(&actions), [(6, 0, 0, vec![1, 2])]);
    let actions = host.link_down(PLM, 5);
    assert_eq!(actions, [], "the end of the old link means nothing to the new one");
    host.answer(PLM, (6, 0), vec![accepted(NOW); 2]);
    assert_eq!(waiting(&host), 0);
}

#[test]
fn a_lost_link_is_dialled_again_after_a_grace_or_at_once_when_the_peer_is_heard() {
    let dial = Action::Dial(ministry(PLM));
    let mut host = Host::new("sm.example");
    host.link_up(PLM, 5);
    assert_eq!(host.link_down(PLM, 5), []);
    assert_eq!(host.pass(RETRY_GRACE), std::slice::from_ref(&dial));
    assert_eq!(host.pass(Duration::from_secs(600)), [], "one dial at a time");
    let (peer, problem) = (ministry(PLM), "no answer".into());
    assert_eq!(host.step(vec![Event::DialFailed { peer, problem }]), []);
    assert_eq!(host.step(vec![Event::Heard { peer: ministry(PLM) }]), [dial]);
}

#[test]
fn however_often_a_peer_makes_contact_few_dials_try_at_a_time() {
    let mut host = Host::new("sm.example");
    let heard = || Event::Heard { peer: ministry(PLM) };
    let dials = |actions: Vec<Action>| {
        let dial = Action::Dial(ministry(PLM));
        actions.into_iter().filter(|action| *action == dial).count()
    };
    // The start began one already.
    let more: usize = (0..100).map(|_| dials(host.step(vec![heard()]))).sum();
    assert_eq!(more, 1, "one beside it");
    let failed = || Event::DialFailed { peer: ministry(PLM), problem: "silent".into() };
    assert_eq!(dials(host.step(vec![failed(), heard()])), 1);
    assert_eq!(dials(host.step(vec![failed(), failed(), heard()])), 1);
    assert_eq!(dials(host.step(vec![heard()])), 1);
    assert_eq!(dials(host.step(vec![heard()])), 0);
}

#[test]
fn what_a_peer_cannot_judge_yet_waits_and_those_behind_it_go() {
    let mut host = host_with(&[1, 2, 3]);
    host.link_up(PLM, 5);
    let later = || Verdict::Later(Code::TRUST_LAPSED);
    host.answer(PLM, (5, 0), vec![later(), accepted(NOW), later()]);
    assert_eq!(waiting(&host), 2);
    assert_eq!(told(&host), [(2, ReceiptKind::Relayed, None)], "nothing is over");
    let minute = Duration::from_secs(60);
    assert_eq!(Host::batches(&host.pass(minute / 2)), []);
    host.submit(&[Letter::new(4, SENDER, &[RECIPIENT])]);
    host.answer(PLM, (5, 1), vec![accepted(NOW)]);
    assert_eq!(Host::batches(&host.pass(minute / 2)), [(5, 2, 0, vec![1, 3])], "in its order");
    host.answer(PLM, (5, 2), vec![accepted(NOW), later()]);
    // It expires in its time, and its sender hears so.
    host.pass(MESSAGE_TTL_MAX);
    assert_eq!(waiting(&host), 0);
    assert_eq!(told(&host).pop(), Some((3, ReceiptKind::Expired, Some(Code::EXPIRED))));
}

#[test]
fn when_a_peer_judges_nothing_more_is_set_aside_than_waits() {
    let mut host = Host::new("sm.example");
    for round in 0..2 {
        let created = NOW.after(Duration::from_millis(round));
        let new = |number| Letter { created, ..Letter::new(number, SENDER, &[RECIPIENT]) };
        host.submit(&(0..=255).map(new).collect::<Vec<_>>());
    }
    host.link_up(PLM, 5);
    for batch in [0, 1] {
        let later = vec![Verdict::Later(Code::TRUST_LAPSED); BATCH_MESSAGES_MAX];
        host.answer(PLM, (5, batch), later);
    }
    let aside = QueueId::OutboxAside(ministry(PLM));
    assert_eq!((waiting(&host), host.waiting(&aside)), (256, 256));
}

// === decided again ===

#[test]
fn a_message_that_may_no_longer_go_ends_here_and_its_sender_is_told_why() {
    let mut host = host_with(&[1]);
    let strict = change_of(|rules| rules.replacen("transit = \"clear\"", "forbid = true", 1));
    host.step(vec![strict]);
    let actions = host.link_up(PLM, 5);
    assert_eq!(Host::batches(&actions), []);
    assert_eq!(told(&host), [(1, ReceiptKind::Refused, Some(Code::WITHDRAWN))]);
    assert!(!host.receipts(&address(SENDER))[0].1.reasons.is_empty(), "at home with reasons");
    assert_eq!(waiting(&host), 0);
}
