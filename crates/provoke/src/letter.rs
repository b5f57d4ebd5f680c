//! Messages and batches, as they should be; whoever wants them otherwise changes them.

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_seal::{Purpose, Signer, commit, join, random_secret, salted};
use kuriiri_types::{
    BatchProof, Digest, Header, Lane, MessageId, MessageType, Ministry, Precedence, Recipient,
    Role, SignedPart, SignedReceipt, Timestamp, WireLabel,
};
use kuriiri_wire::{
    Part, header,
    relay::{Batch, Parcel, RelayedPart},
};

use crate::{
    case::{Halt, wrong},
    clock,
    partner::Partner,
};

/// The lane in which the kit's messages travel.
pub(crate) const ROUTINE: Lane = Lane::Messages(Precedence::Routine);

/// A message that nobody has signed yet.
pub(crate) struct Letter {
    pub(crate) header: Header,
    body: Bytes,
}

/// A message as it travels.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) header: Bytes,
    /// Salt and body.
    pub(crate) body: Bytes,
    pub(crate) proof: BatchProof,
}

impl Sent {
    /// The leaf hash of its header.
    pub(crate) fn leaf(&self) -> Digest {
        leaf(&self.header)
    }
}

/// An honest message to the mailbox of the relay, under the label that may go open.
pub(crate) fn letter(partner: &Partner) -> Result<Letter, Halt> {
    letter_with(partner, &partner.labels.open, b"from kuriiri provoke", clock::now())
}

/// The same under another label, with another body, or made at another time.
pub(crate) fn letter_with(
    partner: &Partner,
    label: &WireLabel,
    body: &[u8],
    made: Timestamp,
) -> Result<Letter, Halt> {
    let to = Recipient { address: partner.target.mailbox.clone(), role: Role::Action };
    let header = Header {
        id: new_id(made)?,
        from: partner.system.address.clone(),
        to: vec![to],
        label: Some(label.clone()),
        precedence: Precedence::Routine,
        message_type: MessageType::Operation,
        created: made,
        expires: None,
        content_type: "text/plain".into(),
        body_size: 0,
        body_commitment: Digest([0; 32]),
        subject: "kuriiri provoke".into(),
        conversation: None,
        in_reply_to: None,
        obsoletes: None,
        sealing: None,
        drafter: None,
    };
    Letter { header, body: Bytes::new() }.with_body(body)
}

/// A fresh id of this time.
pub(crate) fn new_id(made: Timestamp) -> Result<MessageId, Halt> {
    let secret = random()?;
    let random = secret.first_chunk().copied().unwrap_or_default();
    Ok(MessageId::new(made, random))
}

/// 32 bytes that nobody knows.
pub(crate) fn random() -> Result<[u8; 32], Halt> {
    random_secret().map_err(|error| Halt::Skipped(error.to_string()))
}

impl Letter {
    /// With this body.
    pub(crate) fn with_body(mut self, body: &[u8]) -> Result<Self, Halt> {
        self.body = salted(body).map_err(|error| Halt::Skipped(error.to_string()))?;
        self.header.body_size = body.len() as u64;
        self.header.body_commitment = commit(&self.body).unwrap_or(Digest([0; 32]));
        Ok(self)
    }

    /// With another header.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Header)) -> Self {
        change(&mut self.header);
        self
    }

    /// Signed by the partner's system.
    pub(crate) fn signed(self, partner: &Partner) -> Result<Sent, Halt> {
        self.signed_by(&partner.system.signer)
    }

    /// Signed by somebody.
    pub(crate) fn signed_by(self, signer: &Signer) -> Result<Sent, Halt> {
        let header = header::encode(&self.header);
        let proof = signer.sign(Purpose::Messages, &[leaf(&header)]).pop();
        let proof = proof.ok_or_else(|| wrong("the kit signed nothing"))?;
        Ok(Sent { header, body: self.body, proof })
    }
}

/// Signs header bytes, whatever they are, with the body of a letter.
pub(crate) fn signed_bytes(partner: &Partner, header: Bytes, body: Bytes) -> Result<Sent, Halt> {
    let signer = &partner.system.signer;
    let proof = signer.sign(Purpose::Messages, &[leaf(&header)]).pop();
    Ok(Sent { header, body, proof: proof.ok_or_else(|| wrong("the kit signed nothing"))? })
}

/// Signs several at once.
pub(crate) fn signed_together(partner: &Partner, letters: Vec<Letter>) -> Vec<Sent> {
    let encoded: Vec<_> =
        letters.into_iter().map(|l| (header::encode(&l.header), l.body)).collect();
    let leaves: Vec<Digest> = encoded.iter().map(|(header, _)| leaf(header)).collect();
    let proofs = partner.system.signer.sign(Purpose::Messages, &leaves);
    let sent = |((header, body), proof)| Sent { header, body, proof };
    encoded.into_iter().zip(proofs).map(sent).collect()
}

/// So many honest messages, each signed alone.
pub(crate) fn honest(partner: &Partner, count: usize) -> Result<Vec<Sent>, Halt> {
    (0..count).map(|_| letter(partner)?.signed(partner)).collect()
}

/// Messages that were signed together, on their way from the partner to the relay.
pub(crate) fn part(partner: &Partner, sent: &[Sent]) -> Result<RelayedPart, Halt> {
    Ok(part_as(partner, part_of(sent)?, sent))
}

/// The signature that messages of one signed batch have in common.
pub(crate) fn part_of(sent: &[Sent]) -> Result<SignedPart, Halt> {
    let proofs: Vec<&BatchProof> = sent.iter().map(|sent| &sent.proof).collect();
    join(&proofs).ok_or_else(|| wrong("the kit joins what is not of one batch"))
}

/// The same with another signature.
pub(crate) fn part_as(partner: &Partner, signed: SignedPart, sent: &[Sent]) -> RelayedPart {
    let parcel = |sent: &Sent| Parcel {
        header: sent.header.clone(),
        body: sent.body.clone(),
        approvals: Vec::new(),
    };
    let messages = sent.iter().map(parcel).collect();
    RelayedPart {
        dest: partner.target.ministry.clone(),
        path: vec![partner.home.clone()],
        part: Part { signed, messages },
    }
}

/// One part for each message.
pub(crate) fn parts(partner: &Partner, sent: &[Sent]) -> Result<Vec<RelayedPart>, Halt> {
    sent.iter().map(|one| part(partner, std::slice::from_ref(one))).collect()
}

/// A part that says it came another way.
pub(crate) fn by_way(mut part: RelayedPart, path: Vec<Ministry>) -> RelayedPart {
    part.path = path;
    part
}

/// A batch of parts, with the certificate of the partner's system; the number is for who sends it.
pub(crate) fn batch(partner: &Partner, parts: Vec<RelayedPart>) -> Batch {
    let certificates = vec![partner.system.signer.certificate().clone()];
    Batch { lane: ROUTINE, number: 0, epoch: 0, certificates, parts, receipts: Vec::new() }
}

/// A batch of receipts.
pub(crate) fn receipts(receipts: Vec<SignedReceipt>) -> Batch {
    let (certificates, parts) = (Vec::new(), Vec::new());
    Batch { lane: Lane::Receipts, number: 0, epoch: 0, certificates, parts, receipts }
}
