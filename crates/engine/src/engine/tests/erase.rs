//! Erasing bodies: they leave the state, the sender hears so, and the log keeps the order.

use kuriiri_types::{
    Code, Lane, LogEvent, MessageId, Precedence, ReceiptKind, SpiffeId, SpiffeRole,
    limits::BODY_INLINE_BYTES_MAX,
};

use crate::{
    Action, Body, Event, Item, LinkId, PackKey, PersonRequest, QueueId, Reply, SubscriptionId,
    Token, View, Write,
    testing::{Host, Letter, address, ministry, system},
};

const SENDER: &str = "kirjaamo@sm.example";
const RECIPIENT: &str = "kirjaamo@plm.example";
const ROUTINE: Lane = Lane::Messages(Precedence::Routine);

fn letter(number: u8) -> Letter {
    Letter::new(number, SENDER, &[RECIPIENT])
}

fn person(role: SpiffeRole, at: &str) -> SpiffeId {
    SpiffeId::new(ministry(at), role, "anna").unwrap()
}

fn erase(host: &mut Host, by: SpiffeId, message: MessageId) -> Reply {
    let (token, basis) = (Token(9), "Data Protection Act 1050/2018".into());
    host.ask(Event::Person {
        person: by,
        token,
        request: PersonRequest::Erase { message, basis, headers: Vec::new() },
    })
}

fn operator(host: &mut Host, message: MessageId) -> Reply {
    erase(host, person(SpiffeRole::Operator, "sm.example"), message)
}

/// The inline bodies in the one pack that waits for plm.
fn bodies(host: &Host) -> Vec<usize> {
    let queue = QueueId::Outbox(ministry("plm.example"));
    let packs = host.disk.packs(&queue, ROUTINE, 0, usize::MAX).unwrap();
    let items = packs.iter().flat_map(|(_, pack, _)| &pack.items);
    let size = |item: &Item| match item {
        Item::Parcel(parcel) => match &parcel.body {
            Body::Inline(bytes) => bytes.len(),
            Body::File(_) => panic!("in a file"),
        },
        Item::Receipt(_) => panic!("a receipt"),
    };
    items.map(size).collect()
}

/// Two of one pack: the second would be made from the pack with the body of the first.
#[test]
fn two_messages_are_not_erased_in_one_step() {
    let mut host = Host::new("sm.example");
    host.submit(&[letter(1), letter(2), letter(3)]);
    let before = bodies(&host);
    let ask = |number: u8| Event::Person {
        person: person(SpiffeRole::Operator, "sm.example"),
        token: Token(u64::from(number)),
        request: PersonRequest::Erase {
            message: letter(number).id(),
            basis: "GDPR 17".into(),
            headers: Vec::new(),
        },
    };
    host.step(vec![ask(1), ask(2)]);
    assert_eq!(bodies(&host), [0, before[1], before[2]]);
    assert_eq!(operator(&mut host, letter(2).id()), Reply::Erased { copies: 1, headers: 0 });
    assert_eq!(bodies(&host), [0, 0, before[2]]);
}

#[test]
fn the_body_leaves_the_state_and_the_order_stays_in_the_log() {
    let mut host = Host::new("sm.example");
    host.submit(&[letter(1), letter(2), letter(3)]);
    let before = bodies(&host);
    assert_eq!(operator(&mut host, letter(2).id()), Reply::Erased { copies: 1, headers: 0 });
    assert_eq!(host.kinds(), ["ERASED", "REFUSED"]);
    let LogEvent::Erased { subject, header, by, basis } = &host.written()[0].event else {
        panic!()
    };
    assert!(!header);
    assert_eq!(*subject, letter(2).verified().leaf());
    assert_eq!(*by, person(SpiffeRole::Operator, "sm.example"));
    assert!(basis.contains("1050/2018"));
    assert_eq!(bodies(&host), [before[0], 0, before[2]]);

    let told = host.receipts(&address(SENDER));
    let (kind, receipt) = told.last().unwrap();
    assert_eq!((*kind, receipt.code), (ReceiptKind::Refused, Some(Code::ERASED)));
    assert!(receipt.reasons[0].contains("1050/2018"), "{receipt:?}");
    let actions = host.link_up("plm.example", 1);
    assert_eq!(Host::batches(&actions), [(1, 0, 0, vec![1, 3])], "the others go");
}

#[test]
fn what_is_only_on_disk_is_erased_too() {
    let mut host = Host::new("sm.example");
    host.submit(&[letter(1), letter(2)]);
    let mut host = host.restart();
    assert_eq!(operator(&mut host, letter(1).id()), Reply::Erased { copies: 1, headers: 0 });
    assert_eq!(bodies(&host)[0], 0);
    let actions = host.restart().link_up("plm.example", 1);
    assert_eq!(Host::batches(&actions), [(1, 0, 0, vec![2])]);
}

#[test]
fn a_large_body_is_to_be_overwritten_in_its_file() {
    let mut host = Host::new("sm.example");
    let large = Letter { size: BODY_INLINE_BYTES_MAX + 1, ..letter(1) };
    host.submit(&[large]);
    assert_eq!(operator(&mut host, letter(1).id()), Reply::Erased { copies: 1, headers: 0 });
    assert_eq!(host.commit.erased.len(), 1);
    let gone = |write: &Write| matches!(write, Write::DeletePack(PackKey { .. }));
    assert!(host.commit.writes.iter().any(gone), "the only item of its pack");
    assert_eq!(host.commit.released, host.commit.erased);
}

#[test]
fn what_is_under_way_is_not_touched_and_can_be_asked_for_again() {
    let mut host = Host::new("sm.example");
    host.submit(&[letter(1)]);
    host.link_up("plm.example", 1);
    let Reply::Refused(refusal) = operator(&mut host, letter(1).id()) else { panic!() };
    assert_eq!(refusal.code, Code::BUSY);
    assert!(host.written().is_empty());
    host.link_down("plm.example", 1);
    assert_eq!(operator(&mut host, letter(1).id()), Reply::Erased { copies: 1, headers: 0 });
}

/// What a system has and does not confirm is erased here, and its word about it means nothing more.
#[test]
fn what_a_system_keeps_to_itself_is_erased_all_the_same() {
    let mut host = Host::new("plm.example");
    host.arrive(&["sm.example"], &[letter(1), letter(2), letter(3)]);
    let wanted = |subscription| Event::Wanted {
        system: system(&address(RECIPIENT)),
        subscription: SubscriptionId(subscription),
        mailbox: address(RECIPIENT),
        credit: 2,
    };
    let given = host.step(vec![wanted(1)]);
    let Some(Action::Deliver { items, .. }) = given.first() else { panic!("{given:?}") };
    let [first, second] = [items[0].ticket, items[1].ticket];
    let by = person(SpiffeRole::Operator, "plm.example");
    let erased = erase(&mut host, by.clone(), letter(1).id());
    assert_eq!(erased, Reply::Erased { copies: 1, headers: 0 });
    assert_eq!(host.waiting(&QueueId::Mailbox(address(RECIPIENT))), 2);
    let actions = host.step(Vec::new());
    assert!(actions.is_empty(), "it still has two, as it wanted: {actions:?}");

    let subscription = SubscriptionId(1);
    let event = Event::Confirmed { subscription, tickets: vec![first, second] };
    let said = host.step(vec![event]);
    let confirm = Action::Confirm { subscription, tickets: vec![first, second] };
    assert!(said.contains(&confirm), "it is done with both: {said:?}");
    let written = host.written();
    let told = written.iter().filter_map(|entry| {
        let LogEvent::Receipt(receipt) = &entry.event else { return None };
        Some((receipt.kind, receipt.subjects.len()))
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told, [(ReceiptKind::Delivered, 1)], "of the other alone");
    let again = host.step(vec![Event::Confirmed { subscription, tickets: vec![first] }]);
    assert!(again.is_empty(), "{again:?}");
    let left = host.waiting(&QueueId::Mailbox(address(RECIPIENT)));
    assert_eq!(left, 1, "the third, which it has now");
}

#[test]
fn an_order_for_nothing_is_an_act_in_the_log_all_the_same() {
    let mut host = Host::new("sm.example");
    assert_eq!(operator(&mut host, letter(9).id()), Reply::Erased { copies: 0, headers: 0 });
    assert_eq!(host.kinds(), ["ADMIN"]);
    let LogEvent::Acted { what, .. } = &host.written()[0].event else { panic!() };
    assert!(what.contains(&letter(9).id().to_string()) && what.contains("no body"), "{what}");
}

#[test]
fn only_people_of_the_ministry_may() {
    let mut host = Host::new("sm.example");
    host.submit(&[letter(1)]);
    for other in [
        person(SpiffeRole::Operator, "plm.example"),
        person(SpiffeRole::System, "sm.example"),
        person(SpiffeRole::Auditor, "sm.example"),
    ] {
        let Reply::Refused(refusal) = erase(&mut host, other, letter(1).id()) else { panic!() };
        assert_eq!(refusal.code, Code::NOT_AN_OFFICER);
    }
    assert_eq!(
        erase(&mut host, person(SpiffeRole::Officer, "sm.example"), letter(1).id()),
        Reply::Erased { copies: 1, headers: 0 }
    );
}

/// An operator wants a letter and its header erased in the very step in which it is submitted, and before.
fn erase_amid(host: &mut Host, letter: &Letter) -> Reply {
    let by = person(SpiffeRole::Operator, "sm.example");
    let (token, basis, headers) = (Token(9), "a basis".into(), vec![letter.verified().leaf()]);
    let actions = host.step(vec![
        Event::Person {
            person: by,
            token,
            request: PersonRequest::Erase { message: letter.id(), basis, headers },
        },
        Event::Submitted {
            system: system(&letter.from),
            link: LinkId(900),
            token: Token(7),
            lane: ROUTINE,
            epoch: 0,
            messages: vec![Ok(letter.verified())],
            certificates: Vec::new(),
        },
    ]);
    let mut replies = actions.into_iter().filter_map(|action| {
        let Action::Answer(Token(9), reply) = action else { return None };
        Some(reply)
    });
    replies.next().unwrap()
}

#[test]
fn a_copy_that_comes_in_the_same_step_is_not_said_to_be_erased() {
    let mut host = Host::new("sm.example");
    let Reply::Refused(refusal) = erase_amid(&mut host, &letter(1)) else { panic!() };
    assert_eq!(refusal.code, Code::BUSY);
    assert!(host.commit.erased_headers.is_empty());
    assert_eq!(operator(&mut host, letter(1).id()), Reply::Erased { copies: 1, headers: 0 });
}

#[test]
fn a_header_is_erased_after_the_entry_that_brings_it() {
    let mut host = Host::new("sm.example");
    let unknown = Letter { label: Some("FI UNHEARD-OF"), ..letter(1) };
    assert_eq!(erase_amid(&mut host, &unknown), Reply::Erased { copies: 0, headers: 1 });
    assert_eq!(host.kinds(), ["DECIDED", "ERASED", "REFUSED"]);
    assert_eq!(host.commit.erased_headers, [unknown.verified().leaf()]);
}
