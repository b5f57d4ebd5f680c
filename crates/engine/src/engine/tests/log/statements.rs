//! What is said about many messages is said once, and about nobody else.

use kuriiri_types::{
    Giver, LoggedRuling, Receipt,
    limits::{STATEMENT_BYTES, STATEMENT_SUBJECTS_MAX},
};

use super::*;
use crate::testing::address;

const MANY: u8 = 200;

fn many(range: std::ops::Range<u8>) -> Vec<Letter> {
    range.map(letter).collect()
}

/// The statements that the last step wrote.
fn statements(host: &Host) -> Vec<Receipt> {
    let stated = host.written().into_iter().filter_map(|entry| {
        let LogEvent::Receipt(said) = entry.event else { return None };
        Some(said)
    });
    stated.collect()
}

fn about(said: &Receipt) -> Vec<u8> {
    said.subjects.iter().map(|told| told.subject.message.as_bytes()[15]).collect()
}

#[test]
fn a_batch_is_decided_on_once_stated_once_and_delivered_once() {
    let (mut sender, mut receiver) = (Host::new("sm.example"), Host::new("plm.example"));
    let letters = many(0..50);
    sender.submit(&letters);
    assert_eq!(sender.kinds(), ["DECIDED", "ACCEPTED"]);
    let [decided] = decisions(sender.written()).try_into().unwrap();
    let batch = decided.batch.unwrap();
    assert_eq!((batch.size, batch.positions.len(), batch.proof.len()), (50, 50, 0));
    receiver.arrive(&["sm.example"], &letters);
    assert_eq!(receiver.kinds(), ["DECIDED", "RECEIVED"]);
    let actions = receiver.step(vec![Host::want(&address(RECIPIENT), 1, 64)]);
    let items = Host::deliveries(&actions).into_iter().flat_map(|(_, items)| items);
    let tickets: Vec<_> = items.map(|item| item.ticket).collect();
    let subscription = crate::SubscriptionId(1);
    receiver.step(vec![Event::Confirmed { subscription, tickets }]);
    assert_eq!(receiver.kinds(), ["DELIVERED"]);
    assert_eq!(about(&statements(&receiver)[0]), (0..50).collect::<Vec<u8>>());
}

#[test]
fn a_statement_ends_where_whoever_gets_it_could_not_write_it_down() {
    let mut host = Host::new("sm.example");
    let all: Vec<String> = (0..60).map(|n| format!("m{n}@plm.example")).collect();
    let to: Vec<&str> = all.iter().map(String::as_str).collect();
    let letters: Vec<Letter> = (0..20).map(|n| Letter::new(n, SENDER, &to)).collect();
    host.submit(&letters);
    let said = statements(&host);
    assert!(said.len() > 2, "{}", said.len());
    let mut told = Vec::new();
    for statement in &said {
        assert!(statement.subjects.len() <= STATEMENT_SUBJECTS_MAX);
        let entry = host.written().into_iter().find(
            |entry| matches!(&entry.event, LogEvent::Receipt(receipt) if receipt == statement),
        );
        let bytes = kuriiri_wire::entry::encode(&entry.unwrap()).len();
        assert!(bytes <= STATEMENT_BYTES + 512, "{bytes}");
        let mut letters = about(statement);
        letters.dedup();
        told.extend(letters);
    }
    assert_eq!(told, (0..20).collect::<Vec<u8>>(), "no message is in two of them");
    assert_eq!(said.iter().map(|one| one.subjects.len()).sum::<usize>(), 20 * 60);
}

#[test]
fn headers_beside_an_entry_fit_one_value_and_what_does_not_begins_another() {
    let mut host = Host::new("sm.example");
    host.submit(&many(0..MANY));
    let decided = decisions(host.written());
    assert!(decided.len() > 1, "{}", decided.len());
    let positions: Vec<u32> =
        decided.iter().flat_map(|one| one.batch.as_ref().unwrap().positions.clone()).collect();
    assert_eq!(positions, (0..u32::from(MANY)).collect::<Vec<_>>());
    // That the headers are there and fit is held by `Memory`; each entry proves its own part.
    for one in &decided {
        let leaves: Vec<_> = one.subjects.iter().map(|subject| subject.header).collect();
        let part = one.batch.as_ref().unwrap();
        assert!(!part.proof.is_empty());
        crate::testing::check_part(part, &leaves);
    }
}

/// Whoever signs chooses where its messages stand: the hashes between leaves that are far apart are many
/// bytes, however small the messages.
#[test]
fn what_proves_scattered_messages_begins_another_entry_when_it_has_no_room() {
    let letters = many(0..MANY);
    let messages = Letter::all_scattered(&letters, 65_536);
    let mut host = Host::new("plm.example");
    host.arrive_verified(("sm.example", &["sm.example"]), messages);
    let decided = decisions(host.written());
    assert!(decided.len() > 1, "{}", decided.len());
    assert_eq!(decided.iter().map(|one| one.subjects.len()).sum::<usize>(), letters.len());
    for one in &decided {
        let leaves: Vec<_> = one.subjects.iter().map(|subject| subject.header).collect();
        crate::testing::check_part(one.batch.as_ref().unwrap(), &leaves);
    }
}

#[test]
fn no_statement_speaks_of_two_senders_or_comes_to_two_peers() {
    let mut hub = Host::new("verkko.example");
    let from = |number, from: &str| Letter::new(number, from, &["kirjaamo@um.example"]);
    let (ours, other) = (from(1, SENDER), from(2, "tilanne@sm.example"));
    let from_plm = from(3, RECIPIENT);
    let token = |mut event: Event, number| {
        if let Event::Arrived { token, .. } = &mut event {
            *token = Token(number);
        }
        event
    };
    let events = [(&ours, "sm.example"), (&other, "sm.example"), (&from_plm, "plm.example")];
    let events = events
        .into_iter()
        .zip(1..)
        .map(|((letter, peer), number)| token(arrived(&[peer], letter, "um.example"), number));
    hub.step(events.collect());
    let said = statements(&hub);
    let told: Vec<_> =
        said.iter().map(|one| (about(one), one.sender.clone(), one.by.clone().unwrap())).collect();
    let (sm, plm) = (Giver::Peer(ministry("sm.example")), Giver::Peer(ministry("plm.example")));
    assert_eq!(
        told,
        [
            (vec![1], address(SENDER), sm.clone()),
            (vec![2], address("tilanne@sm.example"), sm),
            (vec![3], address(RECIPIENT), plm),
        ]
    );
}

#[test]
fn other_words_are_another_statement_and_another_outcome_another_class() {
    let mut host = Host::new("sm.example");
    let forbidden = |number| Letter { label: Some("FI TL1 REL{SM,PLM}"), ..letter(number) };
    let late = |number| Letter { expires: Some(crate::testing::NOW), ..letter(number) };
    host.submit(&[letter(1), forbidden(2), letter(3), late(4), forbidden(5), late(6)]);
    let decided: Vec<_> = decisions(host.written())
        .into_iter()
        .map(|one| (one.ruling, one.batch.unwrap().positions))
        .collect();
    assert_eq!(
        decided,
        [(LoggedRuling::Permit, vec![0, 2]), (LoggedRuling::Deny, vec![1, 4])],
        "what is late is not decided on"
    );
    let said: Vec<_> = statements(&host).iter().map(about).collect();
    assert_eq!(said, [vec![1, 3], vec![2, 5], vec![4, 6]]);
}

#[test]
fn a_message_of_two_batches_in_one_step_stays_in_the_order_of_its_leaves() {
    let mut host = Host::new("sm.example");
    let denied = |number| Letter { label: Some("FI TL1 REL{SM,PLM}"), ..letter(number) };
    // The same refused message twice in one batch is refused twice, and the log says so once.
    host.submit(&[denied(1), denied(1), denied(2)]);
    let positions: Vec<_> =
        decisions(host.written()).into_iter().map(|one| one.batch.unwrap().positions).collect();
    assert_eq!(positions, [vec![0, 2]]);
    host.step(vec![submitted(&[denied(3)], Vec::new()), submitted(&[denied(4)], Vec::new())]);
    assert_eq!(decisions(host.written()).len(), 2, "each proves its own signature");
}

#[test]
fn a_repeat_of_a_batch_after_a_crash_gets_the_same_statements() {
    let mut host = Host::new("sm.example");
    let letters = many(0..MANY);
    host.submit(&letters);
    let essence = |host: &mut Host| {
        let answered = std::mem::take(&mut host.answered).into_iter();
        answered.map(|receipt| (receipt.index, receipt.entry)).collect::<Vec<_>>()
    };
    let first = essence(&mut host);
    let mut host = host.restart();
    host.submit(&letters);
    assert_eq!((host.commit.log.clone(), essence(&mut host)), (None, first));
}

#[test]
fn a_repeat_in_the_step_of_the_first_is_answered_with_its_statement() {
    let mut host = Host::new("sm.example");
    let (one, two) = (submitted(&many(0..3), Vec::new()), submitted(&many(1..4), Vec::new()));
    host.step(vec![one, two]);
    assert_eq!(statements(&host).iter().map(about).collect::<Vec<_>>(), [vec![0, 1, 2, 3]]);
    assert_eq!(host.answered.len(), 1, "both had one token");
}

#[test]
fn what_shows_a_header_comes_before_all_that_names_it_by_its_digest() {
    let mut host = Host::new("sm.example");
    let to = |number, to: &[&str]| Letter::new(number, SENDER, to);
    let um = "kirjaamo@um.example";
    host.submit(&[
        to(1, &[RECIPIENT, um]),
        to(2, &[um, RECIPIENT]),
        to(3, &["tilanne@sm.example", um]),
    ]);
    let mut shown = Vec::new();
    for decided in decisions(host.written()) {
        let headers = decided.subjects.iter().map(|subject| subject.header);
        match decided.batch {
            Some(_) => shown.extend(headers),
            None => assert!(headers.into_iter().all(|header| shown.contains(&header))),
        }
    }
    assert_eq!(shown.len(), 3);
}
