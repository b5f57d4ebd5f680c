//! Messages that nobody can accept or hand on: nothing waits behind them, senders hear of it, people decide.

use kuriiri_types::{
    Code, Giver, Lane, LogEvent, Precedence, ReceiptKind, Refusal, SpiffeId, SpiffeRole,
    limits::{ASIDE_MESSAGES_MAX, ASIDE_REASON_BYTES_MAX, MESSAGE_TTL_MAX},
};

use crate::{
    Action, Answer, AsideDeed, AsidePlace, AsideState, BatchId, Event, LinkId, PersonRequest,
    QueueId, Reply, SubscriptionId, Ticket, Token,
    testing::{Host, Letter, Memory, NOW, accepted, address, ministry, system},
};

const PLM: &str = "plm.example";
const SENDER: &str = "kirjaamo@sm.example";
const MAILBOX: &str = "kirjaamo@plm.example";
const ROUTINE: Lane = Lane::Messages(Precedence::Routine);

fn mailbox() -> QueueId {
    QueueId::Mailbox(address(MAILBOX))
}

fn aside() -> QueueId {
    QueueId::MailboxAside(address(MAILBOX))
}

fn outbox() -> QueueId {
    QueueId::Outbox(ministry(PLM))
}

fn operator(of: &str) -> SpiffeId {
    SpiffeId::new(ministry(of), SpiffeRole::Operator, "olli").unwrap()
}

/// A relay in whose mailbox letters of these numbers wait, their bodies of so many bytes.
fn host_with(numbers: &[u8], size: usize) -> Host {
    let mut host = Host::new(PLM);
    for number in numbers {
        let letter = Letter { size, ..Letter::new(*number, SENDER, &[MAILBOX]) };
        host.arrive(&["sm.example"], &[letter]);
    }
    host
}

fn want(subscription: u64) -> Event {
    Host::want(&address(MAILBOX), subscription, 9)
}

fn tickets(actions: &[Action]) -> Vec<Ticket> {
    let items = Host::deliveries(actions).into_iter().flat_map(|(_, items)| items);
    items.map(|item| item.ticket).collect()
}

fn unopened() -> Refusal {
    Refusal { code: Code::MALFORMED, reasons: vec!["it does not open".into()] }
}

fn unaccepted(subscription: u64, tickets: Vec<Ticket>, why: Refusal) -> Event {
    let subscription = SubscriptionId(subscription);
    Event::Unaccepted { subscription, tickets, why, by_receiver: true }
}

fn asides(host: &mut Host, after: Option<AsidePlace>, limit: usize) -> (Vec<AsideState>, bool) {
    let (person, token) = (operator(host.home()), Token(9));
    let reply =
        host.ask(Event::Person { person, token, request: PersonRequest::Asides { after, limit } });
    let Reply::Asides(found, more) = reply else { panic!("no list: {reply:?}") };
    (found, more)
}

fn act(host: &mut Host, letter: Option<u8>, deed: AsideDeed) -> Reply {
    let (person, token) = (operator(host.home()), Token(9));
    let message = letter.map(|number| Letter::new(number, SENDER, &[MAILBOX]).id());
    host.ask(Event::Person { person, token, request: PersonRequest::AsideAct { message, deed } })
}

/// What stands in the log about messages, in its order: the letter, what, with which code, by whom.
fn told(host: &Host) -> Vec<(u8, ReceiptKind, Option<Code>, Option<Giver>)> {
    let stated = host.disk.entries_from(0).into_iter().filter_map(|entry| {
        let LogEvent::Receipt(receipt) = entry.event else { return None };
        Some(receipt)
    });
    let stated = stated.filter(|receipt| receipt.kind != ReceiptKind::Relayed);
    let each = stated.flat_map(crate::testing::one_by_one);
    each.map(|r| (r.subjects[0].subject.message.as_bytes()[15], r.kind, r.code, r.by)).collect()
}

#[test]
fn what_a_receiver_cannot_accept_is_set_aside_and_its_sender_is_told() {
    for size in [100, 200_000] {
        let mut host = host_with(&[1, 2, 3], size);
        let given = tickets(&host.step(vec![want(7)]));
        let actions = host.step(vec![unaccepted(7, vec![given[0], given[2]], unopened())]);
        let confirmed =
            Action::Confirm { subscription: SubscriptionId(7), tickets: vec![given[0], given[2]] };
        assert!(actions.contains(&confirmed));
        assert_eq!((host.waiting(&mailbox()), host.waiting(&aside())), (1, 2));
        let by = Some(Giver::System(system(&address(MAILBOX))));
        let set_aside = |letter| (letter, ReceiptKind::SetAside, Some(Code::MALFORMED), by.clone());
        assert_eq!(told(&host), [set_aside(1), set_aside(3)]);
        // The sender's ministry hears no reasons; people here do, after a restart too.
        let mut host = host.restart();
        let (found, more) = asides(&mut host, None, 9);
        let seen = found.iter().map(|a| (a.header.id.as_bytes()[15], a.aside.why.clone()));
        let seen: Vec<_> = seen.collect();
        assert_eq!((seen, more), (vec![(1, unopened()), (3, unopened())], false));
        host.step(vec![unaccepted(7, given, unopened())]);
        assert_eq!(
            host.waiting(&aside()),
            2,
            "tickets of a subscription that is gone mean nothing"
        );
    }
}

#[test]
fn nothing_behind_256_messages_that_nobody_can_open_waits() {
    let mut host = Host::new(PLM);
    let poison: Vec<Letter> = (0..255).map(|n| Letter::new(n, SENDER, &[MAILBOX])).collect();
    host.arrive(&["sm.example"], &poison);
    host.arrive(&["sm.example"], &[Letter::new(255, SENDER, &[MAILBOX])]);
    let mut actions = host.step(vec![want(7)]);
    for _ in 0..100 {
        let good = Host::delivered(&actions, 7).contains(&255);
        let given = tickets(&actions);
        if good {
            return;
        }
        actions = host.step(vec![unaccepted(7, given, unopened())]);
    }
    panic!("the good message never came");
}

#[test]
fn people_have_a_message_given_out_again() {
    for (size, restarts) in [(100, false), (100, true), (200_000, false), (200_000, true)] {
        let mut host = host_with(&[1, 2], size);
        let given = tickets(&host.step(vec![want(7)]));
        host.step(vec![unaccepted(7, given, unopened())]);
        host.step(vec![Event::Unsubscribed { subscription: SubscriptionId(7) }]);
        if restarts {
            host = host.restart();
        }
        let acted = act(&mut host, Some(2), AsideDeed::Retry);
        assert_eq!(acted, Reply::AsideActed { messages: 1, more: false });
        assert!(host.kinds().contains(&"ADMIN"), "who did it stands in the log");
        let mut actions = host.step(vec![want(8)]);
        actions.extend(host.step(Vec::new()));
        assert_eq!(Host::delivered(&actions, 8), [2]);
        let given = tickets(&actions);
        let subscription = SubscriptionId(8);
        host.step(vec![Event::Confirmed { subscription, tickets: given }]);
        let ends: Vec<_> =
            told(&host).into_iter().map(|(letter, kind, ..)| (letter, kind)).collect();
        let (set_aside, delivered) = (ReceiptKind::SetAside, ReceiptKind::Delivered);
        assert_eq!(ends, [(1, set_aside), (2, set_aside), (2, delivered)]);
        assert_eq!((host.waiting(&mailbox()), host.waiting(&aside())), (0, 1));
        act(&mut host, None, AsideDeed::Refuse);
        host.step(Vec::new());
        assert_eq!(host.waiting(&aside()), 0);
        assert!(host.disk.references.values().all(|count| *count == 0), "no body is left behind");
    }
}

#[test]
fn people_refuse_what_cannot_be_mended() {
    let mut host = host_with(&[1], 100);
    let given = tickets(&host.step(vec![want(7)]));
    host.step(vec![unaccepted(7, given, unopened())]);
    assert_eq!(
        act(&mut host, Some(1), AsideDeed::Refuse),
        Reply::AsideActed { messages: 1, more: false }
    );
    let end = told(&host).pop().unwrap();
    assert_eq!(end, (1, ReceiptKind::Refused, Some(Code::MALFORMED), None));
    let nothing = Reply::AsideActed { messages: 0, more: false };
    assert_eq!(act(&mut host, Some(1), AsideDeed::Refuse), nothing);
    assert!(!host.kinds().contains(&"ADMIN"), "nothing was done");
}

#[test]
fn nobody_of_another_house_sees_or_does_anything() {
    let mut host = host_with(&[1], 100);
    let given = tickets(&host.step(vec![want(7)]));
    host.step(vec![unaccepted(7, given, unopened())]);
    for person in [operator("sm.example"), system(&address(MAILBOX))] {
        let refused = Reply::Refused(Refusal::bare(Code::NOT_AN_OFFICER));
        let (token, deed) = (Token(9), AsideDeed::Refuse);
        let asked = Event::Person {
            person: person.clone(),
            token,
            request: PersonRequest::Asides { after: None, limit: 9 },
        };
        assert_eq!(host.ask(asked), refused);
        assert_eq!(
            host.ask(Event::Person {
                person,
                token,
                request: PersonRequest::AsideAct { message: None, deed }
            }),
            refused
        );
    }
    assert_eq!(host.waiting(&aside()), 1);
}

#[test]
fn what_is_set_aside_expires_in_its_time_and_its_sender_is_told() {
    for restarts in [false, true] {
        let mut host = host_with(&[1], 100);
        let given = tickets(&host.step(vec![want(7)]));
        host.step(vec![unaccepted(7, given, unopened())]);
        if restarts {
            host = host.restart();
        }
        host.pass(MESSAGE_TTL_MAX);
        assert_eq!(told(&host).pop().unwrap().1, ReceiptKind::Expired);
        assert_eq!(host.waiting(&aside()), 0);
    }
}

#[test]
fn lists_go_on_where_they_ended() {
    let mut host = host_with(&[1, 2, 3, 4, 5], 100);
    let given = tickets(&host.step(vec![want(7)]));
    for ticket in given {
        host.step(vec![unaccepted(7, vec![ticket], unopened())]);
    }
    for restarts in [false, true] {
        if restarts {
            host = host.restart();
        }
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let (found, more) = asides(&mut host, after.take(), 2);
            seen.extend(found.iter().map(|aside| aside.header.id.as_bytes()[15]));
            after = found.last().map(|last| last.place.clone());
            if !more {
                break;
            }
        }
        assert_eq!(seen, [1, 2, 3, 4, 5]);
    }
}

#[test]
fn a_reason_is_cut_where_a_character_ends() {
    let mut host = host_with(&[1], 100);
    let given = tickets(&host.step(vec![want(7)]));
    let reasons = vec!["€".repeat(ASIDE_REASON_BYTES_MAX), "another".into()];
    host.step(vec![unaccepted(7, given, Refusal { code: Code::MALFORMED, reasons })]);
    let (found, _) = asides(&mut host, None, 9);
    assert_eq!(found[0].aside.why.reasons, ["€".repeat(ASIDE_REASON_BYTES_MAX / 3)]);
}

/// A state in which as many messages of the mailbox are set aside as may be.
fn full_aside() -> Memory {
    let mut host = host_with(&[8, 9], 100);
    for ticket in tickets(&host.step(vec![want(7)])) {
        host.step(vec![unaccepted(7, vec![ticket], unopened())]);
    }
    let last = host.disk.packs.keys().rfind(|key| key.queue == aside()).unwrap().clone();
    host.disk.packs.get_mut(&last).unwrap().before = ASIDE_MESSAGES_MAX - 1;
    host.disk
}

#[test]
fn when_no_more_can_be_set_aside_the_senders_faults_end_and_others_stop_the_mailbox() {
    let mut host = Host::start(ministry(PLM), full_aside(), NOW);
    assert_eq!(host.waiting(&aside()), ASIDE_MESSAGES_MAX);
    host.arrive(&["sm.example"], &[1, 2].map(|n| Letter::new(n, SENDER, &[MAILBOX])));
    let given = tickets(&host.step(vec![want(7)]));
    host.step(vec![unaccepted(7, vec![given[0]], unopened())]);
    assert_eq!(told(&host).pop().unwrap().1, ReceiptKind::Refused);
    let ours = Refusal::bare(Code::KEY_FILE);
    let actions = host.step(vec![unaccepted(7, vec![given[1]], ours)]);
    let full = Refusal::bare(Code::ASIDE_FULL);
    assert_eq!(actions, [Action::Refuse(SubscriptionId(7), full)]);
    assert_eq!(host.waiting(&mailbox()), 1, "nothing is lost");
    assert_eq!(Host::delivered(&host.step(vec![want(8)]), 8), [2]);
}

// === to peers ===

fn sending(letters: &[u8]) -> Host {
    let mut host = Host::new("sm.example");
    for number in letters {
        host.submit(&[Letter::new(*number, SENDER, &[MAILBOX])]);
    }
    host
}

#[test]
fn a_body_that_cannot_be_read_holds_up_nothing() {
    let mut host = sending(&[1, 2, 3]);
    host.link_up(PLM, 5);
    let owed = host.owed(PLM, (5, 0), &[accepted(NOW), accepted(NOW), accepted(NOW)]);
    let why = Refusal { code: Code::STORE_CORRUPT, reasons: vec!["the file is gone".into()] };
    let taken = || Answer::Verdict(accepted(NOW));
    let answers = vec![taken(), Answer::Unreadable(why.clone()), taken()];
    let (peer, link, batch) = (ministry(PLM), LinkId(5), BatchId(0));
    host.step(vec![Event::Answered { peer, link, lane: ROUTINE, batch, answers, receipts: owed }]);
    assert_eq!(host.waiting(&outbox()), 0);
    let (found, _) = asides(&mut host, None, 9);
    assert_eq!((found.len(), &found[0].aside.why), (1, &why));
    assert_eq!(found[0].place.queue, QueueId::OutboxAside(ministry(PLM)));
    assert!(told(&host).contains(&(2, ReceiptKind::SetAside, Some(Code::STORE_CORRUPT), None)));
}

/// The peer ends the link whenever it is handed this letter, and takes all others.
fn meet(host: &mut Host, poison: u8, links: std::ops::Range<u64>) -> Vec<u8> {
    let mut taken = Vec::new();
    for link in links {
        let mut actions = host.link_up(PLM, link);
        while let Some((_, batch, _, letters)) = Host::batches(&actions).first().cloned() {
            if letters.contains(&poison) {
                break;
            }
            let verdicts = vec![accepted(NOW); letters.len()];
            taken.extend(letters);
            actions = host.answer(PLM, (link, batch), verdicts);
        }
        host.link_down(PLM, link);
    }
    taken
}

#[test]
fn a_message_for_which_the_peer_ends_the_link_is_set_aside_and_all_others_go() {
    let letters: Vec<u8> = (1..=40).collect();
    let mut host = sending(&letters);
    let taken = meet(&mut host, 17, 0..30);
    let others: Vec<u8> = letters.into_iter().filter(|letter| *letter != 17).collect();
    assert_eq!(taken, others, "in their order");
    let (found, _) = asides(&mut host, None, 9);
    assert_eq!((found.len(), found[0].aside.why.code), (1, Code::LINK_ENDS));
    assert_eq!(host.waiting(&outbox()), 0);
    assert_eq!(
        act(&mut host, Some(17), AsideDeed::Retry),
        Reply::AsideActed { messages: 1, more: false }
    );
    assert_eq!(meet(&mut host, 0, 90..91), [17], "when the peer is mended, it goes");
}

#[test]
fn a_peer_that_answers_nothing_has_nothing_set_aside() {
    let mut host = sending(&[1, 2, 3]);
    for link in 0..100 {
        host.link_up(PLM, link);
        host.link_down(PLM, link);
    }
    assert_eq!(asides(&mut host, None, 9), (Vec::new(), false));
    let mut taken = meet(&mut host, 0, 200..201);
    taken.sort_unstable();
    assert_eq!(taken, [1, 2, 3], "all of them go once it does");
}
