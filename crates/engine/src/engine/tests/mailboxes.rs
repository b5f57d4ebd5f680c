//! Delivery to systems: credit, confirmation, receivers that leave.

use std::collections::{BTreeMap, BTreeSet};

use kuriiri_types::{
    Code, Lane, Precedence, ReceiptKind, Refusal, SpiffeId, limits::SUBSCRIPTIONS_PER_SYSTEM_MAX,
};

use crate::{
    Action, Event, QueueId, ReceiptMode, Roster, Seq, SubscriptionId, Ticket,
    testing::{Host, Letter, address, ministry, system},
};

const MAILBOX: &str = "kirjaamo@plm.example";

fn mailbox() -> QueueId {
    QueueId::Mailbox(address(MAILBOX))
}

/// A relay in whose mailbox letters of these numbers wait, each from a commit of its own.
fn host_with(numbers: &[u8]) -> Host {
    let mut host = Host::new("plm.example");
    for number in numbers {
        host.arrive(&["sm.example"], &[Letter::new(*number, "kirjaamo@sm.example", &[MAILBOX])]);
    }
    host
}

fn want(subscription: u64, credit: u32) -> Event {
    Host::want(&address(MAILBOX), subscription, credit)
}

fn tickets(actions: &[Action]) -> Vec<Ticket> {
    let items = Host::deliveries(actions).into_iter().flat_map(|(_, items)| items);
    items.map(|item| item.ticket).collect()
}

fn confirm(subscription: u64, tickets: Vec<Ticket>) -> Event {
    Event::Confirmed { subscription: SubscriptionId(subscription), tickets }
}

fn unsubscribe(subscription: u64) -> Event {
    Event::Unsubscribed { subscription: SubscriptionId(subscription) }
}

#[test]
fn a_receiver_gets_as_many_as_its_credit_and_more_once_it_confirms() {
    let mut host = host_with(&[1, 2, 3, 4]);
    let actions = host.step(vec![want(7, 3)]);
    assert_eq!(Host::delivered(&actions, 7), [1, 2, 3]);
    assert_eq!(host.waiting(&mailbox()), 4, "delivered is not confirmed");
    let second = tickets(&actions)[1];
    let actions = host.step(vec![confirm(7, vec![second])]);
    let confirmed = Action::Confirm { subscription: SubscriptionId(7), tickets: vec![second] };
    assert!(actions.contains(&confirmed));
    assert_eq!(Host::delivered(&actions, 7), [4]);
    assert_eq!(host.waiting(&mailbox()), 3);
}

#[test]
fn what_is_confirmed_is_told_to_its_sender_and_leaves_nothing_behind() {
    let mut host = host_with(&[1, 2]);
    let given = tickets(&host.step(vec![want(7, 9)]));
    host.step(vec![confirm(7, given.clone())]);
    let outbox = QueueId::Outbox(ministry("sm.example"));
    let kept: Vec<_> = host.disk.packs.iter().collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!((&kept[0].0.queue, kept[0].0.lane), (&outbox, Lane::Receipts));
    assert_eq!(kept[0].1.items.len(), 1, "one receipt about both");
    assert!(host.disk.done.is_empty() && host.disk.due.len() == 1);
    let again = host.step(vec![confirm(7, given)]);
    assert_eq!((again, host.commit.is_empty()), (Vec::new(), true), "confirmed once");
}

#[test]
fn what_a_receiver_leaves_goes_to_the_next_in_order() {
    let mut host = host_with(&[1, 2, 3, 4, 5]);
    let given = tickets(&host.step(vec![want(7, 4)]));
    host.step(vec![confirm(7, vec![given[1]])]);
    assert_eq!(host.step(vec![unsubscribe(7)]), []);
    host.arrive(&["sm.example"], &[Letter::new(6, "kirjaamo@sm.example", &[MAILBOX])]);
    let actions = host.step(vec![want(8, 9)]);
    assert_eq!(Host::delivered(&actions, 8), [1, 3, 4, 5, 6]);
}

#[test]
fn a_system_has_so_many_subscriptions_and_others_have_theirs() {
    let mut host = host_with(&[1]);
    let most = SUBSCRIPTIONS_PER_SYSTEM_MAX as u64;
    for subscription in 0..most {
        let actions = host.step(vec![want(subscription, 1)]);
        assert!(!actions.iter().any(|action| matches!(action, Action::Refuse(..))));
    }
    let refused = Refusal::bare(Code::TOO_MANY_SUBSCRIPTIONS);
    let refused = [Action::Refuse(SubscriptionId(most), refused)];
    assert_eq!(host.step(vec![want(most, 1)]), refused);
    let other = Host::want(&address("tilanne@plm.example"), most + 1, 1);
    assert_eq!(host.step(vec![other]), []);
    host.step(vec![unsubscribe(0)]);
    let delivered = host.step(vec![want(most + 2, 1)]);
    assert!(!delivered.iter().any(|action| matches!(action, Action::Refuse(..))));
}

#[test]
fn a_system_that_is_taken_out_gets_nothing_more_and_another_takes_its_place() {
    let mut host = host_with(&[1, 2]);
    let given = tickets(&host.step(vec![want(7, 9)]));
    let reads = |system: &str| {
        let id: SpiffeId = format!("spiffe://plm.example/system/{system}").parse().unwrap();
        let systems = BTreeMap::from([(id.clone(), BTreeSet::from([address(MAILBOX)]))]);
        (id, Roster { systems, ..Roster::default() })
    };
    let (new, roster) = reads("asiakirjat");
    let actions = host.step(vec![Event::RosterChanged(Box::new(roster))]);
    let not_yours = Refusal::bare(Code::NOT_YOURS);
    assert_eq!(actions, [Action::Refuse(SubscriptionId(7), not_yours)]);
    host.step(vec![confirm(7, given)]);
    assert_eq!(host.waiting(&mailbox()), 2, "its word means nothing any more");
    let actions = host.step(vec![Event::Wanted {
        system: new,
        subscription: SubscriptionId(8),
        mailbox: address(MAILBOX),
        credit: 9,
    }]);
    assert_eq!(Host::delivered(&actions, 8), [1, 2]);
}

#[test]
fn a_receiver_that_leaves_makes_room_for_one_that_waits() {
    let mut host = host_with(&[1, 2]);
    let actions = host.step(vec![want(7, 9), want(8, 9)]);
    assert_eq!(Host::delivered(&actions, 8), []);
    let actions = host.step(vec![unsubscribe(7)]);
    assert_eq!(Host::delivered(&actions, 8), [1, 2]);
}

#[test]
fn a_ticket_of_another_receiver_or_of_nobody_means_nothing() {
    let mut host = host_with(&[1, 2]);
    let actions = host.step(vec![want(7, 1), want(8, 1)]);
    let (mine, lane) = (tickets(&actions), Lane::Messages(Precedence::Routine));
    let nobodys = [0, Seq::MAX, mine[1].seq + 1].map(|seq| Ticket { lane, seq });
    let wrong_lane = Ticket { lane: Lane::Messages(Precedence::Flash), ..mine[1] };
    let wrong = [&nobodys[..], &[mine[0], wrong_lane]].concat();
    let actions = host.step(vec![confirm(8, wrong.clone()), confirm(9, wrong)]);
    assert_eq!((actions, host.commit.is_empty()), (Vec::new(), true));
    assert_eq!(host.waiting(&mailbox()), 2);
    host.step(vec![confirm(7, vec![mine[0]]), confirm(8, vec![mine[1]])]);
    assert_eq!(host.waiting(&mailbox()), 0);
}

#[test]
fn a_ticket_of_a_receiver_that_left_means_nothing() {
    let mut host = host_with(&[1]);
    let given = tickets(&host.step(vec![want(7, 1)]));
    host.step(vec![unsubscribe(7)]);
    host.step(vec![confirm(7, given)]);
    assert_eq!(host.waiting(&mailbox()), 1);
}

#[test]
fn a_mailbox_is_read_by_its_own_system_only() {
    let mut host = host_with(&[1]);
    let (other, subscription) = (address("tilanne@plm.example"), SubscriptionId(7));
    let (system, mailbox) = (system(&other), address(MAILBOX));
    let mine = Event::Wanted { system, subscription, mailbox, credit: 9 };
    let refusal = Refusal::bare(Code::NOT_YOURS);
    assert_eq!(host.step(vec![mine]), [Action::Refuse(subscription, refusal)]);
}

// === receipts ===

#[test]
fn receipts_that_a_reader_leaves_go_to_the_next_in_order() {
    let mut host = Host::new("plm.example");
    let (sender, inbox) = (address(MAILBOX), address("tilanne@plm.example"));
    let letters = [1, 2, 3].map(|n| Letter::new(n, MAILBOX, &["tilanne@plm.example"]));
    host.submit(&letters);
    for ticket in tickets(&host.step(vec![Host::want(&inbox, 1, 9)])) {
        host.step(vec![confirm(1, vec![ticket])]);
    }
    let kinds: Vec<_> = host.receipts(&sender).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [ReceiptKind::Delivered; 3]);
    let wanted = |subscription| Event::ReceiptsWanted {
        system: system(&sender),
        subscription: SubscriptionId(subscription),
        address: sender.clone(),
        mode: ReceiptMode::Consume,
    };
    let read = |actions: Vec<Action>| match &actions[..] {
        [Action::DeliverReceipts { receipts, .. }] => {
            receipts.iter().map(|(seq, _)| *seq).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let first = read(host.step(vec![wanted(2)]));
    assert_eq!(first.len(), 3);
    let (subscription, through) = (SubscriptionId(2), first[0]);
    host.step(vec![Event::ReceiptsConfirmed { subscription, through }, unsubscribe(2)]);
    assert_eq!(read(host.step(vec![wanted(3)])), first[1..]);
    assert_eq!(
        read(host.restart().step(vec![wanted(4)])),
        first[1..],
        "the first is gone for good"
    );
}
