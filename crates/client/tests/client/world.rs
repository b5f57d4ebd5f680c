//! Ministries with their certificates, their systems and relays.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use kuriiri_certs::{Authority, Issued, Purpose, Validity};
use kuriiri_client::{Client, Draft, Profile, ProfileBuilder};
use kuriiri_merkle::leaf;
use kuriiri_seal::{
    Purpose as Signs, SealingKey, SealingPublicKey, Signer, commit, join, salted, seal,
};
use kuriiri_transport::{Identity, Settings, Trust};
use kuriiri_types::{
    Address, Addressed, Approval, ApprovalAct, BatchProof, Envelope, Giver, Handling, Header, Lane,
    MessageId, MessageType, Ministry, Precedence, Receipt, ReceiptKind, Recipient, Role,
    SignedApproval, SpiffeId, Subject, Timestamp,
};
use kuriiri_wire::{
    Part, approval,
    client::{DeliveredItem, Ticket},
    header,
};

use crate::{log::Log, relay::Relay};

/// Longer than anything here takes; it turns a hang into a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// What comes, if it comes at all.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap()
}

/// What comes of two things that happen at the same time.
pub(crate) fn both<A, B>(
    one: impl Future<Output = A>,
    other: impl Future<Output = B>,
) -> impl Future<Output = (A, B)> {
    Box::pin(soon(async { tokio::join!(one, other) }))
}

#[expect(clippy::disallowed_methods, reason = "a test has no other clock")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(since.as_millis().try_into().unwrap())
}

pub(crate) fn address(text: &str) -> Address {
    text.parse().unwrap()
}

pub(crate) struct Member {
    pub(crate) ministry: Ministry,
    pub(crate) authority: Authority,
    /// Where its relay writes receipts.
    pub(crate) log: Log,
    /// Signs messages of its system `kirjaamo`.
    pub(crate) system: Signer,
    pub(crate) sealing_text: String,
    /// The key with which its officers read what they release.
    pub(crate) release_text: String,
}

impl Member {
    fn new(name: &str) -> Self {
        let ministry: Ministry = name.parse().unwrap();
        let authority = Authority::new(&ministry, validity()).unwrap();
        let issued = issue(&authority, &ministry, "system/kirjaamo", Purpose::Signing);
        let system = Signer::from_pem(&issued.certificate_pem, &issued.key_pem).unwrap();
        let log = Log::of(&ministry);
        let key = || SealingKey::generate().unwrap().to_text().to_string();
        let (sealing_text, release_text) = (key(), key());
        Self { ministry, authority, log, system, sealing_text, release_text }
    }

    pub(crate) fn issue(&self, path: &str, purpose: Purpose) -> Issued {
        issue(&self.authority, &self.ministry, path, purpose)
    }

    pub(crate) fn crl(&self) -> String {
        self.authority.crl(&[], validity()).unwrap()
    }

    /// Signs as a person of the ministry.
    pub(crate) fn officer(&self, name: &str) -> Signer {
        let issued = self.issue(&format!("officer/{name}"), Purpose::Signing);
        Signer::from_pem(&issued.certificate_pem, &issued.key_pem).unwrap()
    }

    pub(crate) fn sealing_key(&self) -> SealingKey {
        self.sealing_text.parse().unwrap()
    }

    pub(crate) fn release_key(&self) -> SealingKey {
        self.release_text.parse().unwrap()
    }
}

fn validity() -> Validity {
    Validity::days(now().before(Duration::from_secs(24 * 3600)), 30)
}

fn issue(authority: &Authority, ministry: &Ministry, path: &str, purpose: Purpose) -> Issued {
    let id = format!("spiffe://{ministry}/{path}").parse().unwrap();
    authority.issue(&id, purpose, validity()).unwrap()
}

/// Two ministries that trust each other.
pub(crate) struct World {
    pub(crate) sm: Member,
    pub(crate) um: Member,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { sm: Member::new("sm.example"), um: Member::new("um.example") }
    }

    /// A relay of `sm` and its system `kirjaamo`, connected.
    pub(crate) async fn connected() -> (Self, Relay, Client) {
        let world = Self::new();
        let relay = Relay::open(&world, &world.sm);
        let client = world.connect(&world.sm, &relay).await;
        (world, relay, client)
    }

    pub(crate) async fn connect(&self, member: &Member, relay: &Relay) -> Client {
        let profile = self.profile(member, &relay.address().to_string()).build().unwrap();
        soon(Client::connect(profile)).await.unwrap()
    }

    /// The profile of a ministry's system, which can open what is sealed and seal to both, and to
    /// the officers of its own.
    pub(crate) fn profile(&self, member: &Member, relay: &str) -> ProfileBuilder {
        self.profile_without_release_key(member, relay)
            .release_with(member.release_key().public_key())
    }

    pub(crate) fn profile_without_release_key(
        &self,
        member: &Member,
        relay: &str,
    ) -> ProfileBuilder {
        let builder = self.profile_without_sealing_keys(member, relay);
        [&self.sm, &self.um].into_iter().fold(builder, |builder, other| {
            builder.seal_to(&other.ministry, other.sealing_key().public_key())
        })
    }

    pub(crate) fn profile_without_sealing_keys(
        &self,
        member: &Member,
        relay: &str,
    ) -> ProfileBuilder {
        let builder = self.profile_without_log_keys(member, relay);
        [&self.sm, &self.um].into_iter().fold(builder, |builder, other| {
            builder.log_key(&other.ministry, other.log.key()).unwrap()
        })
    }

    pub(crate) fn profile_without_log_keys(&self, member: &Member, relay: &str) -> ProfileBuilder {
        let tls = member.issue("system/kirjaamo", Purpose::Tls);
        let signing = member.issue("system/kirjaamo", Purpose::Signing);
        let system = kirjaamo(&member.ministry);
        let mailbox = address(&format!("kirjaamo@{}", member.ministry));
        let mut builder = Profile::builder(system, mailbox, relay)
            .tls(&tls.certificate_pem, &tls.key_pem)
            .unwrap()
            .signing(&signing.certificate_pem, &signing.key_pem)
            .unwrap()
            .sealing_key(member.sealing_key());
        for other in [&self.sm, &self.um] {
            let ca = other.authority.certificate_pem();
            builder = builder.trust(&other.ministry, ca, &other.crl()).unwrap();
        }
        builder
    }

    /// What a ministry's relay listens with.
    pub(crate) fn settings(&self, member: &Member) -> Settings {
        let tls = member.issue("relay/r1", Purpose::Tls);
        let identity = Identity::from_pem(&tls.certificate_pem, &tls.key_pem).unwrap();
        let mut trust = Trust::builder();
        for other in [&self.sm, &self.um] {
            let ca = other.authority.certificate_pem();
            trust = trust.member(other.ministry.clone(), ca, Some(&other.crl())).unwrap();
        }
        Settings::new(identity, trust.build().unwrap())
    }
}

// === what is sent ===

pub(crate) fn draft(subject: impl ToString) -> Draft {
    Draft::to(address("kirjaamo@um.example"))
        .label("FI TL4".parse().unwrap())
        .subject(&subject.to_string())
        .body("what it says")
}

// === what is received ===

pub(crate) fn ticket(seq: u64) -> Ticket {
    Ticket { lane: Lane::Messages(Precedence::Routine), seq }
}

/// A message of `um`'s system for a mailbox, signed.
pub(crate) fn message(world: &World, to: &str, subject: &str) -> (Envelope, Bytes) {
    message_of(&world.um, to, subject)
}

/// A message of a ministry's system for a mailbox, signed.
pub(crate) fn message_of(author: &Member, to: &str, subject: &str) -> (Envelope, Bytes) {
    let body = salted(subject.as_bytes()).unwrap();
    let header = Header {
        id: MessageId::new(now(), rand()),
        from: address(&format!("kirjaamo@{}", author.ministry)),
        to: vec![Recipient { address: address(to), role: Role::Action }],
        label: Some("FI TL4".parse().unwrap()),
        precedence: Precedence::Routine,
        message_type: MessageType::Operation,
        created: now(),
        expires: None,
        content_type: "text/plain".into(),
        body_size: u64::try_from(subject.len()).unwrap(),
        body_commitment: commit(&body).unwrap(),
        subject: subject.into(),
        conversation: None,
        in_reply_to: None,
        obsoletes: None,
        sealing: None,
        drafter: Some("drafter".into()),
    };
    let bytes = header::encode(&header);
    (sign_header(author, bytes), body)
}

pub(crate) fn sign_header(author: &Member, header: Bytes) -> Envelope {
    let proof = author.system.sign(Signs::Messages, &[leaf(&header)]).remove(0);
    Envelope { header, proof }
}

/// The same with another body, sealed to these keys.
pub(crate) fn sealed(
    author: &Member,
    envelope: &Envelope,
    body: &str,
    keys: &[(Ministry, SealingPublicKey)],
) -> (Envelope, Bytes) {
    let mut header = header::decode(&envelope.header).unwrap();
    let (sealing, sealed) = seal(body.as_bytes(), keys, &header.id).unwrap();
    let body = salted(&sealed).unwrap();
    header.sealing = Some(sealing);
    header.body_size = sealed.len().try_into().unwrap();
    header.body_commitment = commit(&body).unwrap();
    (sign_header(author, header::encode(&header)), body)
}

fn rand() -> [u8; 10] {
    *salted(b"").unwrap().first_chunk().unwrap()
}

pub(crate) fn item(seq: u64, (envelope, body): &(Envelope, Bytes)) -> DeliveredItem {
    DeliveredItem {
        ticket: ticket(seq),
        header: envelope.header.clone(),
        body: body.clone(),
        approvals: Vec::new(),
        handling: Handling::free(),
    }
}

/// A message alone, with its proof.
pub(crate) fn alone<T>(proof: &BatchProof, message: T) -> Part<T> {
    Part { signed: join(&[proof]).unwrap(), messages: vec![message] }
}

// === approvals ===

/// What an officer signs of a message.
pub(crate) fn approve(officer: &Signer, header: &Bytes, act: ApprovalAct) -> SignedApproval {
    let decoded = header::decode(header).unwrap();
    let approval = approval::encode(&Approval {
        message: decoded.id,
        subject: leaf(header),
        content: decoded.content(),
        label: decoded.label.clone().unwrap(),
        recipients: decoded.to.clone(),
        keys: decoded.sealing.map(|sealing| sealing.keys).unwrap_or_default(),
        needed: 1,
        until: None,
        expires: decoded.expires,
        officer: officer.id().clone(),
        roles: vec!["release".into()],
        act,
        at: now(),
    });
    let proof = officer.sign(Signs::Approvals, &[leaf(&approval)]).remove(0);
    SignedApproval { approval, proof }
}

// === receipts ===

/// The system that every ministry has.
pub(crate) fn kirjaamo(ministry: &Ministry) -> SpiffeId {
    format!("spiffe://{ministry}/system/kirjaamo").parse().unwrap()
}

/// What a relay says of a message and one of its recipients.
pub(crate) fn receipt_of(
    header: &Bytes,
    recipient: &Address,
    kind: ReceiptKind,
    issuer: &str,
) -> Receipt {
    let decoded = header::decode(header).unwrap();
    let by = match kind {
        ReceiptKind::Accepted => Some(Giver::System(kirjaamo(decoded.from.ministry()))),
        ReceiptKind::Delivered | ReceiptKind::SetAside => {
            Some(Giver::System(kirjaamo(recipient.ministry())))
        }
        ReceiptKind::Relayed => Some(Giver::Peer(decoded.from.ministry().clone())),
        ReceiptKind::Refused | ReceiptKind::Expired => None,
    };
    let subject = Subject { message: decoded.id, header: leaf(header) };
    Receipt {
        issuer: issuer.parse().unwrap(),
        kind,
        at: now(),
        sender: decoded.from,
        by,
        code: None,
        reasons: Vec::new(),
        subjects: vec![Addressed { subject, recipient: recipient.clone() }],
    }
}

/// One receipt for what is the same of all, as an honest relay states it.
pub(crate) fn joined(receipts: impl IntoIterator<Item = Receipt>) -> Vec<Receipt> {
    let mut joined: Vec<Receipt> = Vec::new();
    for receipt in receipts {
        let is_same = |known: &&mut Receipt| {
            let (known, said) = (&**known, &receipt);
            (&known.sender, known.kind, known.code, &known.reasons, &known.by)
                == (&said.sender, said.kind, said.code, &said.reasons, &said.by)
        };
        match joined.iter_mut().find(is_same) {
            Some(known) => known.subjects.extend(receipt.subjects),
            None => joined.push(receipt),
        }
    }
    joined
}

/// A receipt for each message and recipient.
pub(crate) fn apart(receipt: &Receipt) -> Vec<Receipt> {
    let one = |told: &Addressed| Receipt { subjects: vec![told.clone()], ..receipt.clone() };
    receipt.subjects.iter().map(one).collect()
}
