//! One plain value of each kind, to be changed by a test.

use bytes::Bytes;
use kuriiri_types::{
    limits::{
        BATCH_LEAVES_MAX, LOG_PATH_MAX, MAILBOX_NAME_BYTES_MAX, MINISTRY_NAME_BYTES_MAX,
        STATEMENT_BYTES,
    },
    *,
};
use kuriiri_wire::{Part, client::*, limits::PROOF_PATH_MAX, relay::*};

pub(crate) fn header() -> Header {
    Header {
        id: MessageId::new(Timestamp::from_millis(1_795_000_000_000), [7; 10]),
        from: "kirjaamo@sm.example".parse().unwrap(),
        to: vec![Recipient { address: "kirjaamo@um.example".parse().unwrap(), role: Role::Action }],
        label: None,
        precedence: Precedence::Routine,
        message_type: MessageType::Operation,
        created: Timestamp::from_millis(1_795_000_000_000),
        expires: None,
        content_type: "text/plain".into(),
        body_size: 5,
        body_commitment: Digest([9; 32]),
        subject: String::new(),
        conversation: None,
        in_reply_to: None,
        obsoletes: None,
        sealing: None,
        drafter: None,
    }
}

/// Recipients with addresses of this many bytes, none twice.
pub(crate) fn addresses(count: usize, length: usize) -> Vec<Address> {
    let address = |i| {
        let mailbox = format!("m{i:0>3}");
        let ministry = "a".repeat(length - mailbox.len() - 1);
        format!("{mailbox}@{ministry}").parse().unwrap()
    };
    (0..count).map(address).collect()
}

pub(crate) fn recipients(count: usize, length: usize) -> Vec<Recipient> {
    let role = Role::Info;
    let recipient = |address| Recipient { address, role };
    addresses(count, length).into_iter().map(recipient).collect()
}

/// A message as entries name it; those of other numbers are others.
pub(crate) fn subject(number: usize) -> Subject {
    let at = Timestamp::from_millis(1_795_000_000_000 + number as i64);
    Subject { message: MessageId::new(at, [7; 10]), header: Digest([8; 32]) }
}

pub(crate) fn subjects(count: usize) -> Vec<Subject> {
    (0..count).map(subject).collect()
}

/// Messages, and whom each is for.
pub(crate) fn told(recipients: &[Address]) -> Vec<Addressed> {
    let told = |(subject, recipient)| Addressed { subject, recipient };
    subjects(recipients.len()).into_iter().zip(recipients.iter().cloned()).map(told).collect()
}

/// About one message.
pub(crate) fn receipt() -> Receipt {
    Receipt {
        issuer: "um.example".parse().unwrap(),
        kind: ReceiptKind::Refused,
        at: Timestamp::from_millis(1_795_000_000_500),
        sender: "kirjaamo@sm.example".parse().unwrap(),
        by: None,
        code: Some(Code::POLICY),
        reasons: Vec::new(),
        subjects: told(&["kirjaamo@um.example".parse().unwrap()]),
    }
}

pub(crate) fn approval() -> Approval {
    let header = header();
    Approval {
        message: header.id,
        subject: Digest([8; 32]),
        content: header.body_commitment,
        label: WireLabel::plain("FI", "TL3"),
        recipients: header.to,
        keys: Vec::new(),
        needed: 2,
        until: None,
        expires: None,
        officer: "spiffe://sm.example/officer/anna".parse().unwrap(),
        roles: vec!["releaser".into()],
        act: ApprovalAct::Release,
        at: Timestamp::from_millis(1_795_000_000_400),
    }
}

pub(crate) fn seal_key(n: u8) -> SealKeyId {
    SealKeyId { ministry: "um.example".parse().unwrap(), key: Digest([n; 32]) }
}

pub(crate) fn proof() -> BatchProof {
    BatchProof {
        signer: Digest([1; 32]),
        index: 0,
        size: 1,
        path: Vec::new(),
        signature: vec![2; 64].into(),
    }
}

pub(crate) fn header_bytes() -> Bytes {
    kuriiri_wire::header::encode(&header())
}

pub(crate) fn envelope() -> Envelope {
    Envelope { header: header_bytes(), proof: proof() }
}

pub(crate) fn signed_approval() -> SignedApproval {
    SignedApproval { approval: kuriiri_wire::approval::encode(&approval()), proof: proof() }
}

/// The proof deepest in the largest tree that one signature can cover.
pub(crate) fn longest_proof() -> BatchProof {
    let size = BATCH_LEAVES_MAX;
    let path = vec![Digest([6; 32]); PROOF_PATH_MAX];
    BatchProof { index: size - 1, size, path, ..proof() }
}

pub(crate) fn entry(event: LogEvent) -> Entry {
    Entry {
        salt: [4; 32],
        at: Timestamp::from_millis(1_795_000_000_600),
        boot: 3,
        channels: Vec::new(),
        event,
    }
}

pub(crate) fn channel(peer: &str, direction: Direction) -> Channel {
    Channel { peer: peer.parse().unwrap(), direction, seq: 7, prev: Digest([5; 32]) }
}

/// All the leaves that were signed.
pub(crate) fn whole(size: u32) -> SignedPart {
    SignedPart {
        signer: Digest([1; 32]),
        size,
        signature: vec![2; 64].into(),
        positions: (0..size).collect(),
        proof: Vec::new(),
    }
}

/// Some of them.
pub(crate) fn part(positions: &[u32], size: u32) -> SignedPart {
    let positions = positions.to_vec();
    SignedPart { positions, proof: vec![Digest([6; 32]); 2], ..whole(size) }
}

/// About one message that the log names for the first time.
pub(crate) fn decided() -> Decided {
    Decided {
        giver: Some(Giver::System("spiffe://sm.example/system/kirjaamo".parse().unwrap())),
        path: Vec::new(),
        dest: "um.example".parse().unwrap(),
        next: Some("um.example".into()),
        clearances: None,
        approvals: Vec::new(),
        policy: Digest([3; 32]),
        semantics: 1,
        ruling: LoggedRuling::Permit,
        reasons: Vec::new(),
        batch: Some(whole(1)),
        keep_until: Some(Timestamp::from_millis(1_805_000_000_000)),
        subjects: subjects(1),
    }
}

pub(crate) fn signed_receipt() -> SignedReceipt {
    SignedReceipt {
        entry: kuriiri_wire::entry::encode(&entry(LogEvent::Receipt(receipt()))),
        index: 41,
        path: vec![Digest([6; 32]); 6],
        checkpoint: Bytes::from_static(b"sm.example/log"),
    }
}

/// An address of the greatest length.
pub(crate) fn longest_address() -> Address {
    let ministry = "a".repeat(MINISTRY_NAME_BYTES_MAX);
    format!("{}@{ministry}", "m".repeat(MAILBOX_NAME_BYTES_MAX)).parse().unwrap()
}

/// An entry with the longest names that states an acceptance of as many messages as fit, all for one
/// recipient.
pub(crate) fn fullest_acceptance() -> Entry {
    let (longest, ministry) = (longest_address(), "a".repeat(MINISTRY_NAME_BYTES_MAX));
    let system: SpiffeId =
        format!("spiffe://{ministry}/system/{}", "n".repeat(64)).parse().unwrap();
    let value = |count| Receipt {
        sender: longest.clone(),
        kind: ReceiptKind::Accepted,
        at: Timestamp::from_millis(-1),
        issuer: ministry.parse().unwrap(),
        code: None,
        by: Some(Giver::System(system.clone())),
        subjects: told(&vec![longest.clone(); count]),
        ..receipt()
    };
    let channels = vec![channel(&ministry, Direction::Out)];
    let entry =
        |count| Entry { channels: channels.clone(), ..entry(LogEvent::Receipt(value(count))) };
    let is_full =
        |count: &usize| kuriiri_wire::entry::encode(&entry(*count)).len() >= STATEMENT_BYTES;
    entry((1..).find(is_full).unwrap())
}

/// The receipt of accepted messages with the longest names, deepest in the largest tree.
pub(crate) fn longest_acceptance() -> SignedReceipt {
    SignedReceipt {
        entry: kuriiri_wire::entry::encode(&fullest_acceptance()),
        index: u64::MAX,
        path: vec![Digest([6; 32]); LOG_PATH_MAX],
        // Origin, size and root, and the log's own signature.
        checkpoint: vec![b'c'; 260 + 21 + 45 + 1 + 4 + 260 + 100].into(),
    }
}

/// Salt and a body of this many bytes.
pub(crate) fn body(length: usize) -> Bytes {
    vec![3; 32 + length].into()
}

pub(crate) fn parcel(body_length: usize) -> Parcel {
    Parcel { header: header_bytes(), body: body(body_length), approvals: Vec::new() }
}

/// All that was signed at once; without messages no part.
pub(crate) fn parts<T>(messages: Vec<T>) -> Vec<Part<T>> {
    let signed = whole(messages.len().try_into().unwrap());
    let part = Part { signed, messages };
    if part.messages.is_empty() { Vec::new() } else { vec![part] }
}

pub(crate) fn relayed(part: Part<Parcel>) -> RelayedPart {
    let (dest, path) = ("um.example".parse().unwrap(), vec!["sm.example".parse().unwrap()]);
    RelayedPart { dest, path, part }
}

pub(crate) fn batch(parcels: Vec<Parcel>) -> Batch {
    Batch {
        lane: Lane::Messages(Precedence::Routine),
        number: 1,
        epoch: 0,
        certificates: Vec::new(),
        parts: parts(parcels).into_iter().map(relayed).collect(),
        receipts: Vec::new(),
    }
}

pub(crate) fn receipts(count: usize) -> Batch {
    Batch { lane: Lane::Receipts, receipts: vec![signed_receipt(); count], ..batch(Vec::new()) }
}

pub(crate) fn submission(count: usize, body_length: usize) -> Submission {
    let message = Submitted { header: header_bytes(), body: body(body_length) };
    Submission {
        epoch: 0,
        number: 1,
        lane: Lane::Messages(Precedence::Flash),
        certificates: Vec::new(),
        parts: parts(vec![message; count]),
    }
}

pub(crate) fn submission_answer() -> SubmissionAnswer {
    let at = Timestamp::from_millis(1_795_000_000_500);
    SubmissionAnswer {
        verdicts: vec![Verdict::Accepted { at, repeat: false }],
        receipts: vec![signed_receipt()],
    }
}

pub(crate) fn delivery(count: usize, body_length: usize) -> ToReceiver {
    let item = DeliveredItem {
        ticket: tickets(1)[0],
        header: header_bytes(),
        body: body(body_length),
        approvals: Vec::new(),
        handling: Handling::free(),
    };
    ToReceiver::Delivery(Delivery { certificates: Vec::new(), parts: parts(vec![item; count]) })
}

pub(crate) fn tickets(count: usize) -> Vec<Ticket> {
    let lane = Lane::Messages(Precedence::Routine);
    (0..count as u64).map(|seq| Ticket { lane, seq }).collect()
}

pub(crate) fn receipt_batch(count: usize) -> ToReceiptReader {
    let receipts = vec![(1, signed_receipt()); count];
    ToReceiptReader::Receipts(ReceiptBatch { receipts, next: 2 })
}

pub(crate) fn question(to: Vec<Address>) -> Request {
    Request::Ask(Question {
        from: "kirjaamo@sm.example".parse().unwrap(),
        to,
        label: None,
        precedence: Precedence::Routine,
        size: 5,
    })
}

pub(crate) fn report(mailboxes: usize, peers: usize, name_length: usize) -> Reply {
    let queue = QueueStatus { name: "n".repeat(name_length), messages: 1, oldest: None };
    let peer = PeerStatus {
        ministry: "um.example".parse().unwrap(),
        connected: false,
        waiting: 2,
        oldest: None,
        next_try: None,
        problem: None,
    };
    Reply::Status(StatusReport {
        ministry: "sm.example".parse().unwrap(),
        relay: "r1".into(),
        now: Timestamp::from_millis(1_795_000_000_000),
        mailboxes: vec![queue; mailboxes],
        peers: vec![peer; peers],
    })
}
