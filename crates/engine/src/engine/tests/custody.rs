//! Starting, taking into custody, and what is told at once.

use std::time::Duration;

use kuriiri_types::{
    Code, Lane, LogEvent, MessageId, Precedence, Receipt, ReceiptKind, Refusal, Timestamp, Verdict,
    limits::{
        BODY_INLINE_BYTES_MAX, CUSTODY_SHARE_BYTES, MAILBOX_MESSAGES_MAX, OUTBOX_MESSAGES_MAX,
        QUEUE_SHARES,
    },
};

use crate::{
    Action, Body, Engine, Event, Item, LinkId, PackKey, QueueId, Reply, RoomLeft, SubscriptionId,
    Token, Write,
    serials::START_SHIFT,
    testing::{Host, Letter, Memory, NOW, Still, accepted, address, config, ministry, system},
};

const SENDER: &str = "kirjaamo@sm.example";
const RECIPIENT: &str = "kirjaamo@plm.example";
const ROUTINE: Lane = Lane::Messages(Precedence::Routine);

fn letter(number: u8) -> Letter {
    Letter::new(number, SENDER, &[RECIPIENT])
}

fn outbox(peer: &str) -> QueueId {
    QueueId::Outbox(ministry(peer))
}

fn refusal(verdict: &Verdict) -> Code {
    match verdict {
        Verdict::Refused(refusal) => refusal.code,
        Verdict::Accepted { .. } | Verdict::Busy | Verdict::Later(_) => panic!("{verdict:?}"),
    }
}

fn packs(host: &Host) -> Vec<(&PackKey, usize)> {
    let packs = host.commit.writes.iter().filter_map(|write| {
        let Write::PutPack(key, pack) = write else { return None };
        Some((key, pack.items.len()))
    });
    packs.collect()
}

// === starting ===

#[test]
fn every_start_is_counted_and_numbers_never_repeat() {
    let mut host = Host::new("sm.example");
    let mut firsts = Vec::new();
    for start in 1..=3 {
        assert!(host.commit.writes.contains(&Write::PutStart(start)));
        host.submit(&[letter(start.try_into().unwrap())]);
        let (key, _) = packs(&host)[0];
        assert_eq!(key.first, start << START_SHIFT);
        firsts.push(key.first);
        host = host.restart();
    }
    assert_eq!(host.waiting(&outbox("plm.example")), 3);
    let actions = host.link_up("plm.example", 1);
    assert_eq!(Host::batches(&actions), [(1, 0, 0, vec![1, 2, 3])]);
}

#[test]
fn a_start_that_was_not_made_durable_counts_for_nothing() {
    let first = Host::new("sm.example");
    let again = Host::start(ministry("sm.example"), Memory::default(), NOW);
    assert_eq!(first.commit, again.commit, "the same arguments on the same state");
}

#[test]
fn a_start_dials_peers_and_those_for_whom_something_waits() {
    let mut host = Host::new("sm.example");
    host.submit(&[letter(1)]);
    let config = config(&ministry("sm.example"));
    let (_, step) =
        Engine::restore(config, [ministry("um.example")], NOW, &mut Still, &host.disk).unwrap();
    let dials = ["plm.example", "um.example"].map(|peer| Action::Dial(ministry(peer)));
    assert_eq!(step.actions, dials);
}

// === submissions ===

fn id_of(receipt: &Receipt) -> MessageId {
    receipt.subjects[0].subject.message
}

fn to_of(receipt: &Receipt) -> String {
    receipt.subjects[0].recipient.to_string()
}

#[test]
fn one_commit_holds_the_message_its_expiry_and_its_mark() {
    let mut host = Host::new("sm.example");
    let expires = NOW.after(Duration::from_secs(3600));
    let (verdicts, receipts) = host.submit(&[Letter { expires: Some(expires), ..letter(1) }]);
    assert_eq!(verdicts, [accepted(NOW)]);
    assert_eq!((receipts.len(), receipts[0].kind), (1, ReceiptKind::Accepted));
    assert_eq!(receipts[0].subjects[0].recipient, address(RECIPIENT));
    let key = PackKey { queue: outbox("plm.example"), lane: ROUTINE, first: 1 << START_SHIFT };
    assert_eq!(packs(&host), [(&key, 1)]);
    assert!(host.commit.writes.contains(&Write::PutDue(expires, key)));
    let marks = host.commit.writes.iter().filter(|w| matches!(w, Write::PutSeen { .. }));
    assert_eq!(marks.count(), 1);
    assert_eq!(host.wake, Some(expires));
}

#[test]
fn a_batch_gets_one_answer_with_a_verdict_for_each_message() {
    let mut host = Host::new("sm.example");
    host.submit(&[letter(1)]);
    host.now = NOW.after(Duration::from_secs(5));
    let forbidden = Letter { label: Some("FI TL1 REL{SM,PLM}"), ..letter(2) };
    let stranger = Letter::new(3, SENDER, &["nobody@sm.example"]);
    let both = Letter::new(5, SENDER, &[RECIPIENT, "kirjaamo@um.example"]);
    let (verdicts, receipts) = host.submit(&[letter(1), forbidden, stranger, letter(4), both]);
    assert_eq!(verdicts.len(), 5);
    assert_eq!(verdicts[0], Verdict::Accepted { at: NOW, repeat: true });
    assert_eq!(refusal(&verdicts[1]), Code::POLICY);
    assert_eq!(refusal(&verdicts[2]), Code::UNKNOWN_RECIPIENT);
    assert_eq!(verdicts[3..], [accepted(host.now), accepted(host.now)]);
    let told: Vec<_> = receipts.iter().map(|r| (id_of(r), to_of(r), r.kind, r.at)).collect();
    let (plm, um, now) = (RECIPIENT.to_owned(), "kirjaamo@um.example".to_owned(), host.now);
    let (accepted, refused) = (ReceiptKind::Accepted, ReceiptKind::Refused);
    // First what was stated before, then in the order in which it was stated first.
    let expected = [
        (letter(1).id(), plm.clone(), accepted, NOW),
        (letter(2).id(), plm.clone(), refused, now),
        (letter(3).id(), "nobody@sm.example".to_owned(), refused, now),
        (letter(4).id(), plm.clone(), accepted, now),
        (letter(5).id(), plm, accepted, now),
        (letter(5).id(), um, accepted, now),
    ];
    assert_eq!(told, expected);
    assert_eq!(receipts[1].code, Some(Code::POLICY));
    assert!(!receipts[1].reasons.is_empty(), "at home with reasons");
    let (plm, hub) = (outbox("plm.example"), outbox("verkko.example"));
    assert_eq!((host.waiting(&plm), host.waiting(&hub)), (3, 1));
}

#[test]
fn a_message_goes_to_all_its_ministries_or_to_none() {
    let mut host = Host::new("sm.example");
    let secret = Letter {
        label: Some("FI TL4 COMPARTMENT{RAJA}"),
        is_sealed: true,
        ..Letter::new(1, SENDER, &[RECIPIENT, "kirjaamo@um.example"])
    };
    let (verdicts, receipts) = host.submit(std::slice::from_ref(&secret));
    let Verdict::Refused(refusal) = &verdicts[0] else { panic!("{verdicts:?}") };
    assert!(refusal.reasons.iter().all(|reason| reason.starts_with("um.example: ")));
    let told: Vec<_> = receipts.iter().map(|r| (to_of(r), r.kind)).collect();
    let refused = |to: &str| (to.to_owned(), ReceiptKind::Refused);
    assert_eq!(told, [refused(RECIPIENT), refused("kirjaamo@um.example")]);
    assert_eq!(packs(&host), [], "and none waits in a queue");
    let to_plm = Letter { to: vec![address(RECIPIENT)], ..secret };
    assert_eq!(host.submit(&[to_plm]).0, [accepted(NOW)]);
}

#[test]
fn a_repeat_is_taken_once_also_after_a_restart() {
    let mut host = Host::new("sm.example");
    host.submit(&[letter(1), letter(1)]);
    assert_eq!(packs(&host).len(), 1);
    let mut host = host.restart();
    host.now = NOW.after(Duration::from_secs(60));
    let (verdicts, _) = host.submit(&[letter(1)]);
    assert_eq!(verdicts, [Verdict::Accepted { at: NOW, repeat: true }]);
    assert_eq!(host.waiting(&outbox("plm.example")), 1);
}

/// A clock that was far ahead is set right between a hand-over, whose answer is lost, and its repeat.
#[test]
fn a_repeat_is_one_whatever_the_clock_shows_by_then() {
    let from_plm = [Letter::new(7, "kirjaamo@plm.example", &[SENDER])];
    for set_by in [-7200_i64, 40 * 24 * 3600] {
        let mut host = Host::new("sm.example");
        host.submit(&[letter(1)]);
        host.arrive(&["plm.example"], &from_plm);
        host.now = Timestamp::from_millis(NOW.as_millis() + set_by * 1000);
        let repeats = [Verdict::Accepted { at: NOW, repeat: true }];
        assert_eq!(host.submit(&[letter(1)]).0, repeats, "{set_by}");
        assert_eq!(host.arrive(&["plm.example"], &from_plm), repeats, "{set_by}");
        // What is new must be of this time.
        let expected = if set_by < 0 { Code::NOT_YET } else { Code::EXPIRED };
        assert_eq!(refusal(&host.submit(&[letter(2)]).0[0]), expected);
    }
}

#[test]
fn a_large_body_is_stored_once_for_all_copies_and_let_go_with_the_last() {
    let mut host = Host::new("sm.example");
    let to = [RECIPIENT, "kirjaamo@um.example"];
    let letter = Letter { size: BODY_INLINE_BYTES_MAX, ..Letter::new(1, SENDER, &to) };
    host.submit(&[letter]);
    let file = host.commit.bodies.clone().unwrap();
    assert_eq!((file.bodies.len(), file.references), (1, 2));
    let bodies = host.disk.packs.values().flat_map(|pack| &pack.items).map(|item| match item {
        Item::Parcel(parcel) => parcel.body.clone(),
        Item::Receipt(_) => panic!("a receipt"),
    });
    assert!(bodies.clone().all(|body| matches!(body, Body::File(at) if at.file == file.file)));
    for (peer, left) in [("plm.example", 1), ("verkko.example", 0)] {
        host.link_up(peer, 1);
        host.answer(peer, (1, 0), vec![accepted(NOW)]);
        assert_eq!(host.commit.released.len(), 1);
        assert_eq!(host.disk.references[&file.file], left);
    }
}

#[test]
fn who_may_not_send_as_an_address_is_refused() {
    let mut host = Host::new("sm.example");
    let tilanne = address("tilanne@sm.example");
    let foreign = Letter { signer: tilanne.clone(), ..letter(1) };
    assert_eq!(refusal(&host.submit(&[foreign]).0[0]), Code::NOT_YOURS, "another signed it");
    let actions = host.step(vec![Event::Submitted {
        system: system(&tilanne),
        link: LinkId(1),
        token: Token(1),
        lane: ROUTINE,
        epoch: 0,
        messages: vec![Ok(letter(1).verified())],
        certificates: Vec::new(),
    }]);
    let Action::Answer(_, Reply::Verdicts { verdicts, .. }) = &actions[0] else {
        panic!("{actions:?}")
    };
    assert_eq!(refusal(&verdicts[0]), Code::NOT_YOURS, "another hands it over");
}

#[test]
fn a_message_from_another_time_or_in_the_wrong_lane_is_refused() {
    let mut host = Host::new("sm.example");
    let day = Duration::from_secs(86_400);
    let cases = [
        (Letter { created: NOW.before(32 * day), ..letter(1) }, Code::EXPIRED),
        (Letter { created: NOW.after(day), ..letter(2) }, Code::NOT_YET),
        (Letter { expires: Some(NOW), ..letter(3) }, Code::EXPIRED),
        (Letter { precedence: Precedence::Flash, ..letter(4) }, Code::MALFORMED),
    ];
    for (letter, code) in cases {
        assert_eq!(refusal(&host.submit(&[letter]).0[0]), code);
    }
}

#[test]
fn what_may_be_good_later_is_not_refused_to_a_peer() {
    let mut host = Host::new("plm.example");
    let to_come = NOW.after(Duration::from_secs(3600));
    let letter = Letter { created: to_come, ..letter(1) };
    let early = [letter.clone()];
    assert_eq!(host.arrive(&["sm.example"], &early), [Verdict::Later(Code::NOT_YET)]);
    assert!(host.commit.is_empty(), "{:?}", host.commit);
    host.now = to_come;
    assert_eq!(host.arrive(&["sm.example"], &early), [accepted(to_come)]);
    // What this relay lacks to check a signature is nobody else's fault.
    let unchecked = Refusal { code: Code::TRUST_LAPSED, reasons: vec!["the list is over".into()] };
    let actions = host.step(vec![Event::Arrived {
        peer: ministry("sm.example"),
        link: LinkId(901),
        token: Token(8),
        lane: ROUTINE,
        epoch: 0,
        parcels: vec![Err(unchecked)],
        certificates: Vec::new(),
    }]);
    let later = vec![Verdict::Later(Code::TRUST_LAPSED)];
    let answer = Reply::Verdicts { verdicts: later, receipts: Vec::new() };
    assert_eq!(actions, [Action::Answer(Token(8), answer)]);
    assert_eq!(host.kinds(), ["TURNED_AWAY"], "the operator and the auditor can see it");
}

// === a full queue ===

/// A state in which the outbox of a peer seems to hold all that it may: its last pack says how
/// many came before.
fn full_outbox() -> Memory {
    let mut host = Host::new("sm.example");
    host.submit(&[letter(1)]);
    host.submit(&[letter(2)]);
    let last = host.disk.packs.keys().next_back().unwrap().clone();
    host.disk.packs.get_mut(&last).unwrap().before = OUTBOX_MESSAGES_MAX - 1;
    host.disk
}

#[test]
fn a_full_queue_refuses_what_goes_there_and_holds_up_nothing_else() {
    let mut host = Host::start(ministry("sm.example"), full_outbox(), NOW);
    assert_eq!(host.waiting(&outbox("plm.example")), OUTBOX_MESSAGES_MAX);
    let elsewhere = Letter::new(9, SENDER, &["tilanne@sm.example"]);
    let (verdicts, receipts) = host.submit(&[letter(3), elsewhere]);
    let [Verdict::Refused(refusal), taken] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert_eq!((refusal.code, taken), (Code::QUEUE_FULL, &accepted(NOW)));
    assert!(refusal.reasons[0].contains("plm.example"), "{refusal:?}");
    let kinds: Vec<_> = receipts.iter().map(|receipt| receipt.kind).collect();
    assert_eq!(kinds, [ReceiptKind::Refused, ReceiptKind::Accepted], "it has its receipt");
}

/// A relay whose mailboxes have so many of these bounds.
fn filled(mailbox: &str, waiting: u64) -> Host {
    let mut host = Host::new("plm.example");
    for number in [1, 2] {
        host.arrive(&["sm.example"], &[Letter::new(number, SENDER, &[mailbox])]);
    }
    let last = host.disk.packs.keys().rfind(|key| matches!(key.queue, QueueId::Mailbox(_)));
    let last = last.unwrap().clone();
    host.disk.packs.get_mut(&last).unwrap().before = waiting - 1;
    host.restart()
}

#[test]
fn a_full_mailbox_answers_for_itself_and_the_others_get_the_message() {
    let mut host = filled(RECIPIENT, MAILBOX_MESSAGES_MAX);
    let both = Letter::new(3, SENDER, &[RECIPIENT, "tilanne@plm.example"]);
    assert_eq!(host.arrive(&["sm.example"], &[both]), [accepted(NOW)]);
    assert_eq!(host.waiting(&QueueId::Mailbox(address("tilanne@plm.example"))), 1);
    let alone = Letter::new(4, SENDER, &[RECIPIENT]);
    let full = Verdict::Refused(Refusal::bare(Code::QUEUE_FULL));
    assert_eq!(host.arrive(&["sm.example"], &[alone]), [full]);
    let refused = host.disk.entries_from(0).into_iter().filter_map(|entry| {
        let LogEvent::Receipt(receipt) = entry.event else { return None };
        Some(receipt).filter(|receipt| receipt.kind == ReceiptKind::Refused)
    });
    let about = |receipt: Receipt| (receipt.code, receipt.subjects[0].recipient.to_string());
    let full = (Some(Code::QUEUE_FULL), RECIPIENT.to_owned());
    assert_eq!(refused.map(about).collect::<Vec<_>>(), [full.clone(), full]);
}

#[test]
fn of_a_queue_that_is_half_full_nobody_has_more_than_a_part() {
    let mut host = filled(RECIPIENT, MAILBOX_MESSAGES_MAX / 2);
    let (queue, share) =
        (QueueId::Mailbox(address(RECIPIENT)), MAILBOX_MESSAGES_MAX / QUEUE_SHARES);
    host.engine.count_as(&queue, "sm.example", share - 1);
    let from = |number, sender| [Letter::new(number, sender, &[RECIPIENT])];
    assert_eq!(host.arrive(&["sm.example"], &from(3, SENDER)), [accepted(NOW)]);
    let spent = Verdict::Refused(Refusal::bare(Code::SHARE_SPENT));
    assert_eq!(host.arrive(&["sm.example"], &from(4, SENDER)), std::slice::from_ref(&spent));
    assert_eq!(host.arrive(&["sm.example"], &from(5, "tilanne@sm.example")), [spent]);
    let other = from(6, "kirjaamo@verkko.example");
    assert_eq!(host.arrive(&["verkko.example"], &other), [accepted(NOW)], "others have theirs");
    // What is delivered makes room again.
    let given = Host::deliveries(&host.step(vec![Host::want(&address(RECIPIENT), 7, 9)]));
    let given = given.into_iter().flat_map(|(_, items)| items).map(|item| item.ticket).collect();
    host.step(vec![Event::Confirmed { subscription: SubscriptionId(7), tickets: given }]);
    assert_eq!(host.arrive(&["sm.example"], &from(7, SENDER)), [accepted(NOW)]);
}

#[test]
fn on_a_disk_that_fills_up_whoever_has_much_gets_no_more_in() {
    let mut host = Host::new("plm.example");
    host.step(vec![Event::Room(RoomLeft::Tight)]);
    let size = usize::try_from(CUSTODY_SHARE_BYTES / 8).unwrap();
    let large = |number| Letter { size, ..Letter::new(number, SENDER, &[RECIPIENT]) };
    for number in 1..=8 {
        assert_eq!(host.arrive(&["sm.example"], &[large(number)]), [accepted(NOW)]);
    }
    let spent = Verdict::Refused(Refusal::bare(Code::SHARE_SPENT));
    let small = || [Letter::new(9, SENDER, &[RECIPIENT])];
    assert_eq!(host.arrive(&["sm.example"], &small()), [spent]);
    let other = [Letter::new(10, "kirjaamo@verkko.example", &[RECIPIENT])];
    assert_eq!(host.arrive(&["verkko.example"], &other), [accepted(NOW)]);
    host.step(vec![Event::Room(RoomLeft::Plenty)]);
    assert_eq!(host.arrive(&["sm.example"], &small()), [accepted(NOW)]);
}

// === what is denied ===

#[test]
fn what_is_denied_again_and_again_is_written_once_and_answered_each_time() {
    let mut host = Host::new("sm.example");
    let denied = Letter { label: Some("FI TL1 REL{SM,PLM}"), ..letter(1) };
    let (verdicts, first) = host.submit(std::slice::from_ref(&denied));
    assert!(matches!(&verdicts[..], [Verdict::Refused(_)]));
    for restarts in [false, true] {
        if restarts {
            host = host.restart();
        }
        for _ in 0..3 {
            let (verdicts, again) = host.submit(std::slice::from_ref(&denied));
            assert!(
                matches!(&verdicts[..], [Verdict::Refused(refusal)] if refusal.code == Code::POLICY)
            );
            assert_eq!(again, first, "with the receipt of the first time");
            assert!(host.commit.is_empty(), "{:?}", host.commit);
        }
    }
}

#[test]
fn a_payer_has_so_much_written_about_what_is_denied_and_the_rest_is_counted() {
    let mut host = Host::new("plm.example");
    let unknown = |number: u8, sender, round: u64| {
        let created = NOW.after(Duration::from_millis(round));
        Letter { created, ..Letter::new(number, sender, &["nobody@plm.example"]) }
    };
    let before = host.disk.entries.len();
    let mut rounds = 0;
    while host.kinds().contains(&"REFUSED") || rounds == 0 {
        let letters: Vec<_> = (0..=255).map(|number| unknown(number, SENDER, rounds)).collect();
        let messages = Letter::all_verified(&letters);
        assert!(!host.arrive_verified(("sm.example", &["sm.example"]), messages).is_empty());
        rounds += 1;
        assert!(rounds < 1000, "the log grows without end: {}", host.disk.entries.len() - before);
    }
    // Another payer has what it may have.
    let other = unknown(1, "kirjaamo@verkko.example", 0).verified();
    host.arrive_verified(("verkko.example", &["verkko.example"]), vec![other]);
    assert!(host.kinds().contains(&"REFUSED"), "{:?}", host.kinds());
    host.pass(Duration::from_secs(120));
    let counted = host.disk.entries_from(before).into_iter().any(|entry| {
        matches!(entry.event, LogEvent::TurnedAway { code: Code::UNKNOWN_RECIPIENT, .. })
    });
    assert!(counted, "how many there were stands in the log");
}

// === from a peer ===

#[test]
fn an_arrival_is_put_into_the_mailboxes_that_exist_once() {
    let mut host = Host::new("plm.example");
    let to = [RECIPIENT, "nobody@plm.example", "tilanne@plm.example"];
    let letter = Letter::new(1, SENDER, &to);
    let batch = [letter.clone(), letter];
    let repeat = Verdict::Accepted { at: NOW, repeat: true };
    assert_eq!(host.arrive(&["sm.example"], &batch), [accepted(NOW), repeat]);
    for (mailbox, waiting) in [(RECIPIENT, 1), ("tilanne@plm.example", 1), (to[1], 0)] {
        assert_eq!(host.waiting(&QueueId::Mailbox(address(mailbox))), waiting);
    }
    let back = host.disk.packs.keys().filter(|key| key.lane == Lane::Receipts).count();
    assert_eq!(back, 1, "the sender hears of the one that does not exist");
}

#[test]
fn an_arrival_whose_way_does_not_fit_is_refused_without_reasons() {
    let letter = letter(1);
    for path in [&["um.example"][..], &["sm.example", "plm.example"], &["um.example", "sm.example"]]
    {
        let verdicts = Host::new("plm.example").arrive(path, std::slice::from_ref(&letter));
        assert_eq!(refusal(&verdicts[0]), Code::MALFORMED, "{path:?}");
    }
    let mut host = Host::new("plm.example");
    let verdicts = host.arrive_from("um.example", &["sm.example"], std::slice::from_ref(&letter));
    assert_eq!(refusal(&verdicts[0]), Code::MALFORMED, "the peer is not on the path");
    // Strangers, and members that do not speak with each other.
    let path = ["sm.example", "stranger.example", "verkko.example"];
    let verdicts = Host::new("plm.example").arrive(&path, std::slice::from_ref(&letter));
    assert_eq!(refusal(&verdicts[0]), Code::NO_ROUTE);
    let unsealed = Letter { label: Some("FI TL4"), ..letter };
    let verdicts = Host::new("plm.example").arrive(&["sm.example"], &[unsealed]);
    assert_eq!(verdicts, [Verdict::Refused(Refusal::bare(Code::POLICY))]);
}
