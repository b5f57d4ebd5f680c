//! What is sent.

use std::time::Duration;

use bytes::Bytes;
use kuriiri_merkle::{digest, leaf};
use kuriiri_seal::{Purpose, Signer, commit};
use kuriiri_types::{
    Address, Digest, Envelope, Header, MessageId, MessageType, Ministry, Precedence, Recipient,
    Role, SealKeyId, Sealing, Timestamp, WireLabel,
};
use kuriiri_wire::header;

use super::{
    Cast, NOW,
    cast::{Key, key_bytes},
};

/// What is sent.
#[derive(Clone)]
pub struct Send {
    pub label: &'static str,
    pub sealed: bool,
    /// Sealed to keys that no federation file lists, if it is sealed.
    pub invented: bool,
    pub at: Timestamp,
    pub number: u64,
    pub from: &'static str,
    pub to: &'static str,
    /// Another ministry that gets a copy.
    pub copy_to: Option<&'static str>,
}

impl Send {
    pub fn new(from: &'static str, to: &'static str, number: u64) -> Self {
        let at = NOW.after(Duration::from_secs(10 * number));
        Self {
            label: "FI JULK",
            sealed: false,
            invented: false,
            at,
            number,
            from,
            to,
            copy_to: None,
        }
    }

    /// Sealed, and an officer must release it.
    pub fn held(from: &'static str, to: &'static str, number: u64) -> Self {
        Self { label: "FI TL3", sealed: true, ..Self::new(from, to, number) }
    }

    pub fn id(&self) -> MessageId {
        let mut random = [9; 10];
        random[..8].copy_from_slice(&self.number.to_be_bytes());
        MessageId::new(self.at, random)
    }

    pub fn header(&self, cast: &Cast) -> Header {
        let domain = |node: &str| -> Ministry { cast.member(node).system.id().ministry().clone() };
        let (from, to) = (domain(self.from), domain(self.to));
        let body = self.body();
        Header {
            id: self.id(),
            from: Address::new("kirjaamo", from.clone()).unwrap(),
            to: [to.clone()]
                .into_iter()
                .chain(self.copy_to.map(domain))
                .map(|ministry| Recipient {
                    address: Address::new("kirjaamo", ministry).unwrap(),
                    role: Role::Action,
                })
                .collect(),
            label: Some(self.label.parse::<WireLabel>().unwrap()),
            precedence: Precedence::Routine,
            message_type: MessageType::Operation,
            created: self.at,
            expires: None,
            content_type: "text/plain".into(),
            body_size: (body.len() - 32) as u64,
            body_commitment: commit(&body).unwrap(),
            subject: String::new(),
            conversation: None,
            in_reply_to: None,
            obsoletes: None,
            sealing: self.sealed.then(|| Sealing {
                suite: 1,
                keys: self.keys(cast),
                content: Digest([3; 32]),
            }),
            drafter: None,
        }
    }

    /// The recipients' sealing keys, and the release key of the sender's ministry.
    fn keys(&self, cast: &Cast) -> Vec<SealKeyId> {
        let of = |node: &str, key: Key| SealKeyId {
            ministry: cast.member(node).system.id().ministry().clone(),
            key: digest(&key_bytes(node, key)),
        };
        let key = if self.invented { Key::Invented } else { Key::Sealing };
        let recipients = [self.to].into_iter().chain(self.copy_to).map(|node| of(node, key));
        let mut keys: Vec<_> = recipients.chain([of(self.from, Key::Release)]).collect();
        keys.sort();
        keys
    }

    /// Salt and body.
    pub fn body(&self) -> Vec<u8> {
        let mut body = vec![self.number as u8; 32];
        body.extend(format!("body {}", self.number).bytes());
        body
    }

    pub fn envelope(&self, cast: &Cast, signer: &Signer) -> Envelope {
        let bytes = header::encode(&self.header(cast));
        let proof = signer.sign(Purpose::Messages, &[leaf(&bytes)]).remove(0);
        Envelope { header: bytes, proof }
    }

    /// Leaf hash of its header.
    pub fn leaf(&self, cast: &Cast) -> Digest {
        leaf(&header::encode(&self.header(cast)))
    }
}

/// Messages under one signature.
pub fn sign_all(cast: &Cast, signer: &Signer, sends: &[Send]) -> Vec<(Send, Envelope)> {
    let headers: Vec<Bytes> = sends.iter().map(|send| header::encode(&send.header(cast))).collect();
    let leaves: Vec<Digest> = headers.iter().map(|header| leaf(header)).collect();
    let proofs = signer.sign(Purpose::Messages, &leaves);
    let envelopes = headers.into_iter().zip(proofs);
    let envelopes = envelopes.map(|(header, proof)| Envelope { header, proof });
    sends.iter().cloned().zip(envelopes).collect()
}
