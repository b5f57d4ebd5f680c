//! Messages that wait for officers or for their hours, and what officers can do.

use std::time::Duration;

use kuriiri_types::{
    ApprovalAct, Code, Lane, Precedence, ReceiptKind, Refusal, Timestamp, Verdict,
};

use crate::{
    Action, Event, Load, PersonRequest, QueueId, Reply, Resolution,
    testing::{Host, Letter, Memory, NOW, accepted, address, approval_of, change_of, ministry},
};

const SENDER: &str = "kirjaamo@plm.example";
const RECIPIENT: &str = "kirjaamo@um.example";
const HOUR: Duration = Duration::from_secs(3600);

/// A letter that one officer must release, to a ministry with a direct link.
fn letter(number: u8) -> Letter {
    let letter = Letter::new(number, SENDER, &[RECIPIENT]);
    Letter { label: Some("FI TL3"), is_sealed: true, drafter: Some("bertta"), ..letter }
}

/// One that two must.
fn secret(number: u8) -> Letter {
    Letter { label: Some("FI TL2 REL{UM, PLM}"), ..letter(number) }
}

fn relay() -> Host {
    Host::start(ministry("plm.example"), Memory::default(), NOW)
}

fn outbox() -> QueueId {
    QueueId::Outbox(ministry("um.example"))
}

fn code(reply: Reply) -> Code {
    let Reply::Refused(refusal) = reply else { panic!("{reply:?}") };
    refusal.code
}

fn counted(reply: &Reply) -> bool {
    matches!(reply, Reply::Resolved(Resolution::Counted { .. }))
}

fn kinds(host: &Host) -> Vec<(ReceiptKind, Option<Code>)> {
    let receipts = host.receipts(&address(SENDER));
    receipts.into_iter().map(|(kind, receipt)| (kind, receipt.code)).collect()
}

// === waiting and going ===

#[test]
fn a_message_waits_for_its_officer_and_goes_when_released_even_after_a_restart() {
    let mut host = relay();
    let (verdicts, receipts) = host.submit(&[letter(1)]);
    assert_eq!(verdicts, [accepted(NOW)]);
    assert_eq!(receipts[0].kind, ReceiptKind::Accepted);
    assert_eq!(host.waiting(&outbox()), 0);
    assert_eq!(Host::batches(&host.link_up("um.example", 1)), [], "it does not go by itself");

    let mut host = host.restart();
    let holds = host.holds();
    assert_eq!((holds.len(), holds[0].needed), (1, 1));
    assert_eq!(holds[0].missing, ["APPROVALS:0/1: Waiting for releasing officers: 0/1."]);
    assert_eq!(holds[0].expires, NOW.after(72 * HOUR), "the rule's time to live");

    let reply = host.approve(approval_of(&letter(1), "anna", 1, |_| {}));
    assert_eq!(reply, Reply::Resolved(Resolution::Released));
    assert_eq!(host.waiting(&outbox()), 1);
    assert!(host.holds().is_empty());
    let actions = host.link_up("um.example", 1);
    let load = actions.iter().find_map(|action| {
        let Action::Transmit { load, .. } = action else { return None };
        load.first()
    });
    let Some(Load::Parcel { approvals, .. }) = load else { panic!("{actions:?}") };
    assert_eq!(approvals.len(), 1, "the next relay sees who released it");
    host.answer("um.example", (1, 0), vec![accepted(NOW)]);
    assert_eq!(kinds(&host), [(ReceiptKind::Relayed, None)]);
}

#[test]
fn a_repeat_of_a_held_message_is_the_same_message() {
    let mut host = relay();
    host.submit(&[letter(1)]);
    let (verdicts, _) = host.submit(&[letter(1)]);
    assert_eq!(verdicts, [Verdict::Accepted { at: NOW, repeat: true }]);
    assert_eq!(host.holds().len(), 1);
}

#[test]
fn what_its_officers_could_never_read_is_refused_and_not_held() {
    let mut host = relay();
    let closed = Letter { officers_read: false, ..letter(1) };
    let (verdicts, _) = host.submit(std::slice::from_ref(&closed));
    let [Verdict::Refused(Refusal { code: Code::NEEDS_RELEASE, reasons })] = &verdicts[..] else {
        panic!("{verdicts:?}")
    };
    assert_eq!(
        reasons[0],
        "um.example: it is sealed to no release key that the federation file lists for plm.example, whose officers would have to read it: put one that is listed there into `plm.example.release.pub` of the sender's trust folder, and send it again"
    );
    assert!(host.holds().is_empty());
    let home = |officers_read| {
        let to = [RECIPIENT, SENDER].map(address).to_vec();
        Letter { to, officers_read, ..secret(2) }
    };
    assert!(matches!(host.submit(&[home(false)]).0[0], Verdict::Refused(_)), "its recipients' key");
    assert_eq!(host.submit(&[home(true)]).0, [accepted(NOW)]);
}

#[test]
fn two_officers_means_two_persons_and_the_drafter_is_none() {
    let mut host = relay();
    host.submit(&[secret(1)]);
    let by = |name: &str| approval_of(&secret(1), name, 2, |_| {});
    assert_eq!(code(host.approve(by("bertta"))), Code::OWN_DRAFT);
    let one = Resolution::Counted { have: 1, need: 2 };
    assert_eq!(host.approve(by("anna")), Reply::Resolved(one));
    assert!(counted(&host.approve(by("anna"))), "the same person twice is one");
    assert_eq!(host.holds()[0].approvals.len(), 1);
    assert_eq!(host.approve(by("cecilia")), Reply::Resolved(Resolution::Released));
    assert_eq!(code(host.approve(by("anna"))), Code::NO_HOLD);
}

#[test]
fn two_officers_in_one_step_both_count() {
    let mut host = relay();
    host.submit(&[secret(1)]);
    let event = |name: &str, token| Event::Person {
        person: crate::testing::officer(&ministry("plm.example"), name),
        token: crate::Token(token),
        request: PersonRequest::Approve {
            approval: Box::new(approval_of(&secret(1), name, 2, |_| {})),
            certificates: Vec::new(),
        },
    };
    host.step(vec![event("anna", 1), event("cecilia", 2)]);
    assert_eq!(host.waiting(&outbox()), 1);
    assert!(host.disk.holds.is_empty());
}

#[test]
fn what_was_edited_or_counted_otherwise_or_is_over_does_not_count() {
    let mut host = relay();
    host.submit(&[secret(1)]);
    let edited = Letter { size: 101, ..secret(1) };
    let void = approval_of(&edited, "anna", 2, |_| {});
    assert_eq!(code(host.approve(void)), Code::APPROVAL_VOID);
    let one = approval_of(&secret(1), "anna", 1, |_| {});
    assert_eq!(code(host.approve(one)), Code::APPROVAL_VOID, "it was told that one is enough");
    let past = approval_of(&secret(1), "anna", 2, |a| a.until = Some(NOW.before(HOUR)));
    assert_eq!(code(host.approve(past)), Code::APPROVAL_OVER);
    let role = approval_of(&secret(1), "anna", 2, |a| a.roles = vec!["minister".into()]);
    assert_eq!(code(host.approve(role)), Code::OFFICER_UNKNOWN);
    assert!(host.holds()[0].approvals.is_empty());
}

#[test]
fn strangers_neither_see_nor_act() {
    let mut host = relay();
    host.submit(&[letter(1)]);
    let foreign = crate::testing::officer(&ministry("um.example"), "anna");
    for event in [
        Event::Person {
            person: foreign.clone(),
            token: crate::Token(9),
            request: PersonRequest::Holds { after: None },
        },
        Event::Person {
            person: foreign.clone(),
            token: crate::Token(9),
            request: PersonRequest::Hold { message: letter(1).id() },
        },
    ] {
        let Some(Action::Answer(_, reply)) = host.step(vec![event]).into_iter().next() else {
            panic!("no answer");
        };
        assert_eq!(code(reply), Code::OFFICER_UNKNOWN);
    }
    let theirs = approval_of(&letter(1), "anna", 1, |a| a.officer = foreign);
    assert_eq!(code(host.approve(theirs)), Code::OFFICER_UNKNOWN);
}

#[test]
fn a_rejection_goes_back_with_its_note() {
    let mut host = relay();
    host.submit(&[secret(1)]);
    let note = "leave out the names".to_owned();
    let act = ApprovalAct::Reject { note: note.clone() };
    let reply = host.approve(approval_of(&secret(1), "anna", 2, |a| a.act = act));
    assert_eq!(reply, Reply::Resolved(Resolution::Rejected));
    let (kind, receipt) = host.receipts(&address(SENDER)).remove(0);
    assert_eq!((kind, receipt.code), (ReceiptKind::Refused, Some(Code::RELEASE_REJECTED)));
    assert!(receipt.reasons.contains(&note), "{:?}", receipt.reasons);
    assert!(host.disk.holds.is_empty());
}

#[test]
fn what_nobody_released_in_time_expires() {
    let mut host = relay();
    let big = Letter { size: 20_000, ..letter(1) };
    host.submit(&[big, letter(2)]);
    host.pass(73 * HOUR);
    assert_eq!(kinds(&host), [(ReceiptKind::Expired, Some(Code::EXPIRED)); 2]);
    assert!(host.disk.holds.is_empty());
    assert!(host.disk.references.values().all(|n| *n == 0), "its body went too");
}

#[test]
fn a_large_body_is_kept_once_for_all_copies_of_a_released_message() {
    let mut host = relay();
    let to = ["tilanne@plm.example", "kirjaamo@sm.example", "kirjaamo@um.example"];
    let big = Letter { size: 20_000, ..letter(1) };
    let big = Letter { to: to.iter().map(|to| address(to)).collect(), ..big };
    host.submit(std::slice::from_ref(&big));
    assert_eq!(host.disk.references.values().sum::<u32>(), 1);
    let reply = host.approve(approval_of(&big, "anna", 1, |_| {}));
    assert_eq!(reply, Reply::Resolved(Resolution::Released));
    assert_eq!(host.disk.references.values().sum::<u32>(), 3, "two relays and a mailbox here");
}

// === other relays ===

#[test]
fn a_relay_on_the_way_wants_to_see_the_releases_and_holds_nothing() {
    let mut host = Host::start(ministry("um.example"), Memory::default(), NOW);
    let arrive = |host: &mut Host| host.arrive(&["plm.example"], &[letter(1)]).remove(0);
    let refusal = Verdict::Refused(Refusal::bare(Code::NEEDS_RELEASE));
    assert_eq!(arrive(&mut host), refusal);
    host.endorsements = vec![approval_of(&letter(2), "anna", 1, |_| {})];
    assert_eq!(arrive(&mut host), refusal, "of another message");
    host.endorsements = vec![approval_of(&letter(1), "bertta", 1, |_| {})];
    assert_eq!(arrive(&mut host), refusal, "by the drafter");
    let act = ApprovalAct::Reject { note: String::new() };
    host.endorsements = vec![approval_of(&letter(1), "anna", 1, |a| a.act = act)];
    assert_eq!(arrive(&mut host), refusal, "a rejection");
    host.endorsements = vec![approval_of(&letter(1), "anna", 1, |_| {})];
    assert_eq!(arrive(&mut host), accepted(NOW));
}

// === when the rules change ===

fn change(host: &mut Host, from: &str, to: &str) -> Vec<Action> {
    let changed = change_of(|rules| {
        assert!(rules.contains(from), "the rules have `{from}`");
        rules.replacen(from, to, 1)
    });
    let actions = host.step(vec![changed]);
    host.pass(Duration::ZERO);
    actions
}

#[test]
fn queued_messages_are_withdrawn_at_once_though_their_peer_is_away() {
    let mut host = relay();
    let public = |number| Letter { label: Some("FI JULK"), ..letter(number) };
    for number in 1..=3 {
        host.submit(&[public(number), Letter { label: Some("FI SALP"), ..letter(number + 10) }]);
    }
    host.submit(&[letter(9)]);
    change(&mut host, "transit = \"clear\"", "forbid = true");
    assert_eq!(kinds(&host), [(ReceiptKind::Refused, Some(Code::WITHDRAWN)); 3]);
    assert_eq!(host.waiting(&outbox()), 3);
    assert_eq!(host.holds().len(), 1, "what waits for people still does");
    let sent = Host::batches(&host.link_up("um.example", 1));
    assert_eq!(sent.into_iter().flat_map(|batch| batch.3).collect::<Vec<_>>(), [11, 12, 13]);
}

#[test]
fn what_is_only_on_disk_is_withdrawn_too() {
    let mut host = relay();
    let many: Vec<Letter> = (0..200)
        .map(|number| Letter { label: Some("FI JULK"), size: 15_000, ..letter(number) })
        .collect();
    for batch in many.chunks(10) {
        host.submit(batch);
    }
    host.submit(&[Letter { label: Some("FI SALP"), ..letter(200) }]);
    change(&mut host, "transit = \"clear\"", "forbid = true");
    assert_eq!(host.waiting(&outbox()), 1);
    let withdrawn = kinds(&host);
    assert_eq!(withdrawn.len(), 200);
    assert!(withdrawn.iter().all(|r| *r == (ReceiptKind::Refused, Some(Code::WITHDRAWN))));
    let sent = Host::batches(&host.link_up("um.example", 1));
    assert_eq!(sent, [(1, 0, 0, vec![200])]);
}

#[test]
fn what_now_needs_people_waits_and_what_no_longer_does_goes() {
    let mut host = relay();
    host.submit(&[Letter { label: Some("FI SALP"), size: 20_000, ..letter(1) }]);
    change(&mut host, "level = \"SALP\"", "level = \"SALP\"\napprovals = 1");
    assert_eq!((host.waiting(&outbox()), host.holds().len()), (0, 1));
    assert_eq!(host.disk.references.values().sum::<u32>(), 1);
    let mut host = host.restart();
    assert_eq!(host.holds().len(), 0, "the example's rules are in force again");
    assert_eq!(host.waiting(&outbox()), 1);
}

#[test]
fn what_now_needs_people_who_cannot_read_it_goes_back_at_once() {
    let mut host = relay();
    host.submit(&[Letter { label: Some("FI SALP"), officers_read: false, ..letter(1) }]);
    change(&mut host, "level = \"SALP\"", "level = \"SALP\"\napprovals = 1");
    assert_eq!((host.waiting(&outbox()), host.holds().len()), (0, 0));
    assert_eq!(kinds(&host), [(ReceiptKind::Refused, Some(Code::NEEDS_RELEASE))]);
}

#[test]
fn a_hold_that_may_no_longer_go_is_withdrawn() {
    let mut host = relay();
    host.submit(&[letter(1)]);
    change(&mut host, "max_size = \"32 MiB\"", "forbid = true");
    assert_eq!(kinds(&host), [(ReceiptKind::Refused, Some(Code::POLICY))]);
    assert!(host.disk.holds.is_empty());
}

// === hours and rates ===

#[test]
fn outside_its_hours_a_message_waits_and_then_goes_by_itself() {
    // A Saturday.
    let saturday = Timestamp::from_millis(1_795_219_200_000);
    let mut host = Host::start(ministry("plm.example"), Memory::default(), saturday);
    host.link_up("um.example", 1);
    change(&mut host, "level = \"JULK\"", "level = \"JULK\"\nwindow = [\"Mon-Fri 08:00-16:00\"]");
    let public =
        Letter { label: Some("FI JULK"), created: saturday, is_sealed: false, ..letter(1) };
    let (verdicts, _) = host.submit(std::slice::from_ref(&public));
    assert_eq!(verdicts, [accepted(saturday)]);
    assert_eq!(host.waiting(&outbox()), 0);
    assert_eq!(host.holds()[0].needed, 0);
    let actions = host.pass(24 * HOUR);
    assert_eq!(Host::batches(&actions), []);
    let actions = host.pass(34 * HOUR);
    assert_eq!(Host::batches(&actions), [(1, 0, 0, vec![1])]);
}

#[test]
fn no_more_leave_in_an_hour_than_may() {
    let mut host = relay();
    change(&mut host, "level = \"JULK\"", "level = \"JULK\"\nrate = \"2/h\"");
    let public = |number| Letter { label: Some("FI JULK"), is_sealed: false, ..letter(number) };
    let (verdicts, _) = host.submit(&[public(1), public(2), public(3)]);
    assert_eq!(verdicts[..2], [accepted(NOW), accepted(NOW)]);
    let Verdict::Refused(refusal) = &verdicts[2] else { panic!("{verdicts:?}") };
    assert_eq!(refusal.code, Code::RATE_EXCEEDED);
    let urgent = Letter { precedence: Precedence::Flash, ..public(4) };
    assert_eq!(urgent.header().lane(), Lane::Messages(Precedence::Flash));
    host.pass(2 * HOUR);
    let later = Letter { created: host.now, ..public(5) };
    assert_eq!(host.submit(&[later]).0, [accepted(host.now)]);
}

#[test]
fn what_was_under_way_when_the_rules_changed_is_decided_when_it_comes_back() {
    let mut host = relay();
    let public = |number| Letter { label: Some("FI JULK"), is_sealed: false, ..letter(number) };
    host.submit(&[public(1)]);
    assert_eq!(Host::batches(&host.link_up("um.example", 1)).len(), 1);
    change(&mut host, "transit = \"clear\"", "forbid = true");
    assert_eq!(host.waiting(&outbox()), 1, "its fate is the peer's to tell");
    host.link_down("um.example", 1);
    assert_eq!(host.waiting(&outbox()), 0);
    assert_eq!(kinds(&host), [(ReceiptKind::Refused, Some(Code::WITHDRAWN))]);
}

#[test]
fn what_is_taken_just_before_the_rules_change_is_decided_by_the_new_ones() {
    let mut host = relay();
    let public = Letter { label: Some("FI JULK"), is_sealed: false, ..letter(1) };
    let submitted = Event::Submitted {
        system: crate::testing::system(&address(SENDER)),
        link: crate::LinkId(900),
        token: crate::Token(7),
        lane: Lane::Messages(Precedence::Routine),
        epoch: 0,
        messages: vec![Ok(public.verified())],
        certificates: Vec::new(),
    };
    let strict = change_of(|rules| rules.replacen("transit = \"clear\"", "forbid = true", 1));
    host.step(vec![submitted, strict]);
    host.pass(Duration::ZERO);
    assert_eq!(host.waiting(&outbox()), 0);
    assert_eq!(kinds(&host), [(ReceiptKind::Refused, Some(Code::WITHDRAWN))]);
}

#[test]
fn copies_that_came_to_wait_apart_are_one_message_to_officers() {
    let mut host = relay();
    let to = ["kirjaamo@sm.example", "kirjaamo@um.example"].map(address);
    let both = Letter { label: Some("FI SALP"), to: to.into(), ..letter(1) };
    host.submit(std::slice::from_ref(&both));
    change(&mut host, "level = \"SALP\"", "level = \"SALP\"\napprovals = 1");
    assert_eq!((host.disk.holds.len(), host.holds().len()), (2, 1));
    let reply = host.approve(approval_of(&both, "anna", 1, |_| {}));
    assert_eq!(reply, Reply::Resolved(Resolution::Released));
    assert!(host.disk.holds.is_empty());
    assert_eq!(host.waiting(&outbox()), 1);
}
