//! The limits and rules of the administration.

use kuriiri_types::{limits::*, *};
use kuriiri_wire::{Frame, admin::*, limits::*};

use crate::{
    limits::{edge, over},
    sample,
};

fn hold() -> Hold {
    let header = sample::header();
    Hold {
        id: header.id,
        from: header.from,
        recipients: header.to,
        label: WireLabel::plain("FI", "TL3"),
        precedence: Precedence::Routine,
        subject: String::new(),
        content_type: "text/plain".into(),
        size: 5,
        accepted: header.created,
        expires: header.created,
        drafter: None,
        needed: 2,
        approvals: vec![sample::signed_approval()],
        missing: vec!["Odottaa hyväksyntöjä: 1/2.".into()],
    }
}

fn holds(count: usize, change: impl Fn(&mut Hold)) -> AdminReply {
    let mut hold = hold();
    change(&mut hold);
    AdminReply::Holds(Holds { holds: vec![hold; count], more: false })
}

pub(crate) fn held(change: impl Fn(&mut HeldMessage)) -> AdminReply {
    let mut held = HeldMessage {
        envelope: sample::envelope(),
        body: sample::body(5),
        needed: 1,
        approvals: Vec::new(),
        certificates: Vec::new(),
        missing: Vec::new(),
    };
    change(&mut held);
    AdminReply::Held(held)
}

fn offer(count: usize, bytes: usize, signatures: usize) -> AdminRequest {
    let file = |i: usize| OfferedFile {
        kind: FileKind::Rules,
        name: format!("{i}.toml"),
        bytes: vec![b'#'; bytes].into(),
        signatures: "#".repeat(signatures),
    };
    AdminRequest::PolicyActivate { files: (0..count).map(file).collect() }
}

fn renamed(name: &str) -> AdminRequest {
    let AdminRequest::PolicyActivate { mut files } = offer(2, 1, 0) else { unreachable!() };
    files[1].name = name.into();
    AdminRequest::PolicyActivate { files }
}

fn activation(change: impl Fn(&mut Activation)) -> AdminReply {
    let file = FileVerdict { name: "policy.toml".into(), serial: 43, acceptance: "ACCEPT".into() };
    let mut activation = Activation {
        files: vec![file],
        newly_permitted: Vec::new(),
        newly_denied: Vec::new(),
        changed: Vec::new(),
        left_out: 0,
    };
    change(&mut activation);
    AdminReply::Activation(activation)
}

#[test]
fn the_messages_that_wait() {
    edge(holds(HOLDS_PAGE, |_| ()), holds(HOLDS_PAGE + 1, |_| ()));
    edge(holds(1, |h| h.needed = 255), holds(1, |h| h.needed = 256));
    let approvals = |count| holds(1, move |h| h.approvals = vec![sample::signed_approval(); count]);
    edge(approvals(APPROVALS_MAX), approvals(APPROVALS_MAX + 1));
    let recipients = |count| holds(1, move |h| h.recipients = sample::recipients(count, 30));
    edge(recipients(RECIPIENTS_MAX), recipients(RECIPIENTS_MAX + 1));
    refused(&holds(1, |h| h.recipients.clear()));
    refused(&holds(1, |h| h.drafter = Some("../anna".into())));
    refused(&holds(1, |h| h.content_type.clear()));
    let counted = |have| AdminReply::Approved(Approved::Counted { have, need: 255 });
    edge(counted(255), counted(256));
}

#[test]
fn the_fullest_list_of_messages_fits_its_frame() {
    let proof = sample::longest_proof();
    let approval = SignedApproval { approval: vec![7; APPROVAL_BYTES_MAX].into(), proof };
    let full = holds(HOLDS_PAGE, |h| {
        h.recipients = sample::recipients(RECIPIENTS_MAX, 259);
        h.subject = "s".repeat(SUBJECT_BYTES_MAX);
        h.approvals = vec![approval.clone(); APPROVALS_MAX];
        h.missing = vec!["r".repeat(REASON_BYTES_MAX); REASONS_MAX];
    });
    assert_eq!(AdminReply::decode(full.encode()), Ok(full));
}

#[test]
fn a_message_to_be_read() {
    const LARGEST: usize = BODY_BYTES_MAX as usize;
    let body = |length| held(move |h| h.body = sample::body(length));
    edge(body(LARGEST), body(LARGEST + 1));
    refused(&held(|h| h.body = vec![3; BODY_SALT_BYTES - 1].into()));
    let full = held(|h| {
        h.body = sample::body(LARGEST);
        h.approvals = vec![sample::signed_approval(); APPROVALS_MAX];
        h.certificates = vec![vec![5; CERTIFICATE_BYTES_MAX].into(); HELD_CERTIFICATES_MAX];
    });
    AdminReply::decode(full.encode()).unwrap();
    let approve = |length: usize| {
        let certificate = vec![5; length].into();
        AdminRequest::Approve(Approve { approval: sample::signed_approval(), certificate })
    };
    edge(approve(CERTIFICATE_BYTES_MAX), approve(CERTIFICATE_BYTES_MAX + 1));
    AdminRequest::decode(approve(0).encode()).unwrap_err();
}

#[test]
fn the_files_that_are_offered() {
    edge(offer(FILES_MAX, 1, 1), offer(FILES_MAX + 1, 1, 1));
    edge(offer(1, FILE_BYTES_MAX, 0), offer(1, FILE_BYTES_MAX + 1, 0));
    edge(offer(1, 1, FILE_SIGNATURES_BYTES_MAX), offer(1, 1, FILE_SIGNATURES_BYTES_MAX + 1));
    const SHARE: usize = FILES_BYTES_MAX / 32;
    edge(offer(32, SHARE - 9, 9), offer(32, SHARE - 9, 10));
    AdminRequest::decode(offer(0, 1, 1).encode()).unwrap_err();
    AdminRequest::decode(offer(1, 0, 1).encode()).unwrap_err();
}

#[test]
fn a_file_name_is_never_a_path_and_stands_once() {
    AdminRequest::decode(renamed("eu-fi_2.toml").encode()).unwrap();
    AdminRequest::decode(renamed(&"n".repeat(FILE_NAME_BYTES_MAX)).encode()).unwrap();
    over(AdminRequest::decode(renamed(&"n".repeat(FILE_NAME_BYTES_MAX + 1)).encode()));
    for bad in ["", "..", "../relay.toml", "/etc/passwd", ".hidden", "a b", "a\\b", "ä", "0.toml"]
    {
        AdminRequest::decode(renamed(bad).encode()).expect_err(bad);
    }
}

#[test]
fn what_new_files_change_is_bounded_and_says_what_is_missing() {
    let full = activation(|a| {
        let lines = || vec!["l".repeat(REASON_BYTES_MAX); DIFFERENCES_MAX];
        (a.newly_permitted, a.newly_denied, a.changed) = (lines(), lines(), lines());
    });
    assert_eq!(AdminReply::decode(full.encode()), Ok(full));
    let more = activation(|a| {
        a.newly_denied = vec!["two\nlines".into(); DIFFERENCES_MAX + 3];
        a.left_out = 4;
    });
    let Ok(AdminReply::Activation(read)) = AdminReply::decode(more.encode()) else {
        panic!("an activation")
    };
    assert_eq!((read.newly_denied.len(), read.left_out), (DIFFERENCES_MAX, 7));
    assert_eq!(read.newly_denied[0], "two lines");

    let word = |word: &str| activation(|a| a.files[0].acceptance = word.into());
    AdminReply::decode(word("SECOND_SIGNATURE").encode()).unwrap();
    for bad in ["", "Accept", "A B", &"A".repeat(ACCEPTANCE_BYTES_MAX + 1)] {
        refused(&word(bad));
    }
    refused(&activation(|a| a.files.clear()));
}

#[test]
fn recorded_decisions() {
    let records = |count: usize, length: usize| {
        let records = vec![vec![7; length].into(); count];
        AdminReply::Decisions(DecisionRecords { records })
    };
    edge(
        records(DECISIONS_MAX, DECISION_BYTES_MAX),
        records(DECISIONS_MAX + 1, DECISION_BYTES_MAX),
    );
    edge(records(1, DECISION_BYTES_MAX), records(1, DECISION_BYTES_MAX + 1));
    refused(&records(1, 0));
}

fn refused(reply: &AdminReply) {
    AdminReply::decode(reply.encode()).expect_err("a reply to refuse");
}
