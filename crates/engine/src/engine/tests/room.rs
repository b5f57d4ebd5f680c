//! A disk with too little room: what would stay is turned back, and all that empties it goes on.

use std::time::Duration;

use bytes::Bytes;
use kuriiri_merkle::{Growth, leaf};
use kuriiri_tlog::{Checkpoint, log_origin};
use kuriiri_types::{
    Code, Digest, Lane, Precedence, ReceiptKind, Refusal, SpiffeId, SpiffeRole, Verdict,
};

use crate::{
    Action, Arrival, Certificate, Commit, Event, LinkId, PersonRequest, QueueId, Reply, Resolution,
    RoomLeft, Shown, SubscriptionId, Token, WitnessAnswer,
    testing::{
        Host, Letter, NOW, accepted, address, approval_of, delivery_of, ministry, signer_of, system,
    },
};

const SM: &str = "kirjaamo@sm.example";
const PLM: &str = "kirjaamo@plm.example";
const ROUTINE: Lane = Lane::Messages(Precedence::Routine);

fn scarce(is_scarce: bool) -> Event {
    Event::Room(if is_scarce { RoomLeft::Scarce } else { RoomLeft::Plenty })
}

fn refusals() -> Vec<Refusal> {
    vec![Refusal::bare(Code::SIGNATURE)]
}

fn certificates() -> Vec<Certificate> {
    let (fingerprint, der) = (Digest([7; 32]), Bytes::from_static(b"a certificate"));
    vec![Certificate { fingerprint, der }]
}

/// A system of sm hands over a message, bytes that nobody can read, and a certificate.
fn submitted(epoch: u32) -> Event {
    let message = Letter::new(1, SM, &[PLM]).verified();
    Event::Submitted {
        system: system(&address(SM)),
        link: LinkId(900),
        token: Token(7),
        lane: ROUTINE,
        epoch,
        messages: [Ok(message)].into_iter().chain(refusals().into_iter().map(Err)).collect(),
        certificates: certificates(),
    }
}

/// plm's relay hands over the same to sm.
fn arrived(epoch: u32) -> Event {
    let arrival = Arrival {
        message: Letter::new(2, PLM, &[SM]).verified(),
        dest: ministry("sm.example"),
        path: vec![ministry("plm.example")],
        approvals: Vec::new(),
    };
    Event::Arrived {
        peer: ministry("plm.example"),
        link: LinkId(901),
        token: Token(7),
        lane: ROUTINE,
        epoch,
        parcels: [Ok(arrival)].into_iter().chain(refusals().into_iter().map(Err)).collect(),
        certificates: certificates(),
    }
}

fn receipts() -> Event {
    let delivery = delivery_of(&Letter::new(1, SM, &[PLM]), NOW);
    let receipts = [Ok(delivery)].into_iter().chain(refusals().into_iter().map(Err)).collect();
    Event::ReceiptsArrived { peer: ministry("plm.example"), token: Token(7), receipts }
}

fn checkpoint() -> Event {
    let (peer, mut tree) = (ministry("plm.example"), Growth::default());
    tree.push(leaf(b"an entry"));
    let checkpoint = Checkpoint { origin: log_origin(&peer), size: tree.size(), root: tree.root() };
    let note = checkpoint.sign(&signer_of(&peer)).unwrap();
    let shown = Shown { checkpoint, note, old: 0, proof: Vec::new() };
    Event::CheckpointShown { peer, token: Token(9), shown }
}

fn verdicts(host: &mut Host, event: Event) -> Vec<Verdict> {
    let actions = host.step(vec![event]);
    let answer = actions.into_iter().find_map(|action| {
        let Action::Answer(Token(7), Reply::Verdicts { verdicts, .. }) = action else {
            return None;
        };
        Some(verdicts)
    });
    answer.unwrap()
}

#[test]
fn whoever_hands_something_over_keeps_it_and_nothing_is_written() {
    let mut host = Host::new("sm.example");
    host.step(vec![scarce(true)]);
    assert_eq!(host.commit, Commit::default());
    for event in [submitted(0), arrived(0), receipts()] {
        let what = format!("{event:?}");
        assert_eq!(verdicts(&mut host, event), [Verdict::Busy, Verdict::Busy], "{what}");
        assert_eq!(host.commit, Commit::default(), "{what}");
    }
    let busy = WitnessAnswer::Refused(Refusal::bare(Code::BUSY));
    assert_eq!(host.ask(checkpoint()), Reply::Witnessed(busy));
    assert_eq!(host.commit, Commit::default());

    // The word that room is short counts for all that comes with it.
    let mut other = Host::new("sm.example");
    other.step(vec![scarce(true), submitted(0), arrived(0), receipts(), checkpoint()]);
    assert_eq!(other.commit, Commit::default());
}

#[test]
fn with_room_again_all_is_taken_in_its_order() {
    let mut host = Host::new("sm.example");
    host.step(vec![scarce(true), submitted(0), arrived(0), receipts(), checkpoint()]);
    host.step(vec![scarce(false)]);
    let both = [(submitted(0), submitted(1)), (arrived(0), arrived(1))];
    for (number, (late, again)) in both.into_iter().enumerate() {
        let busy = [Verdict::Busy, Verdict::Busy];
        assert_eq!(verdicts(&mut host, late), busy, "it was behind what was turned back");
        let taken = verdicts(&mut host, again);
        assert_eq!(taken, [accepted(NOW), Verdict::Refused(Refusal::bare(Code::SIGNATURE))]);
        let told = host.disk.entries_from(0).into_iter();
        let told = told.filter(|entry| entry.event.kind() == "TURNED_AWAY").count();
        assert_eq!(told, number + 1, "of each giver, once a minute");
    }
    assert_eq!(verdicts(&mut host, receipts())[0], accepted(NOW));
    assert_eq!(host.kinds(), ["RECEIPT_IN"], "of the same giver and reason there was an entry");
    let Reply::Witnessed(WitnessAnswer::Cosigned(_)) = host.ask(checkpoint()) else {
        panic!("it is not witnessed");
    };
    assert_eq!(host.kinds(), ["PEER_CHECKPOINT"]);
}

#[test]
fn what_waits_is_delivered_and_its_sender_hears_of_it() {
    let mut host = Host::new("plm.example");
    host.arrive(&["sm.example"], &[Letter::new(1, SM, &[PLM])]);
    host.link_up("sm.example", 1);
    host.step(vec![scarce(true)]);
    let actions = host.step(vec![Host::want(&address(PLM), 1, 9)]);
    assert_eq!(Host::delivered(&actions, 1), [1]);
    let items = Host::deliveries(&actions).into_iter().flat_map(|(_, items)| items);
    let tickets: Vec<_> = items.map(|item| item.ticket).collect();
    let subscription = SubscriptionId(1);
    let actions = host.step(vec![Event::Confirmed { subscription, tickets: tickets.clone() }]);
    assert_eq!(host.kinds(), ["DELIVERED"]);
    assert!(actions.contains(&Action::Confirm { subscription, tickets }));
    let sent = |action: &Action| matches!(action, Action::Transmit { lane: Lane::Receipts, .. });
    assert!(actions.iter().any(sent), "{actions:?}");
    assert_eq!(host.waiting(&QueueId::Mailbox(address(PLM))), 0);
}

#[test]
fn what_waits_for_peers_goes_out_expires_and_is_erased() {
    let mut host = Host::new("sm.example");
    let expires = Some(NOW.after(Duration::from_secs(60)));
    let short = Letter { expires, ..Letter::new(2, SM, &["kirjaamo@um.example"]) };
    let gone = Letter::new(3, SM, &["kirjaamo@um.example"]);
    host.submit(&[Letter::new(1, SM, &[PLM]), short, gone.clone()]);
    host.step(vec![scarce(true)]);
    let actions = host.link_up("plm.example", 1);
    assert_eq!(Host::batches(&actions), [(1, 0, 0, vec![1])]);
    host.answer("plm.example", (1, 0), vec![accepted(NOW)]);
    assert_eq!(host.kinds(), ["RECEIPT_IN"], "what ends custody is kept");
    assert_eq!(host.waiting(&QueueId::Outbox(ministry("plm.example"))), 0);

    let person = SpiffeId::new(ministry("sm.example"), SpiffeRole::Operator, "anna").unwrap();
    let (message, basis) = (gone.id(), "GDPR 17".into());
    let order = Event::Person {
        person,
        token: Token(9),
        request: PersonRequest::Erase { message, basis, headers: Vec::new() },
    };
    assert_eq!(host.ask(order), Reply::Erased { copies: 1, headers: 0 });
    host.pass(Duration::from_secs(60));
    let kinds: Vec<_> = host.receipts(&address(SM)).into_iter().map(|(kind, _)| kind).collect();
    assert!(kinds.contains(&ReceiptKind::Expired), "{kinds:?}");
}

#[test]
fn officers_go_on_with_what_waits_for_them() {
    let mut host = Host::new("plm.example");
    let letter = Letter {
        label: Some("FI TL3"),
        is_sealed: true,
        drafter: Some("bertta"),
        ..Letter::new(1, PLM, &["kirjaamo@um.example"])
    };
    host.submit(std::slice::from_ref(&letter));
    host.link_up("um.example", 1);
    host.step(vec![scarce(true)]);
    let released = host.approve(approval_of(&letter, "anna", 1, |_| {}));
    assert_eq!(released, Reply::Resolved(Resolution::Released));
    assert!(host.kinds().contains(&"APPROVED"));
    assert_eq!(host.waiting(&QueueId::Outbox(ministry("um.example"))), 1);
}
