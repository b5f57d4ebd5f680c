//! Only what the right system signed, for its own ministry, under its own authority, verifies.

mod approvals;
mod batches;
mod damaged;
mod signers;

use std::convert::Infallible;

use kuriiri_certs::{Authority, Purpose as For, Validity};
use kuriiri_types::{Code, MessageId, MessageType, Precedence, Recipient};

use super::*;
use crate::{Signer, salted};

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// Two ministries with an authority each, and a verifier that knows both.
struct World {
    sm: Authority,
    um: Authority,
    verifier: Verifier,
}

fn days(days: u32) -> Validity {
    Validity::days(NOW, days)
}

fn world() -> World {
    let (sm, um) = ("sm.example".parse().unwrap(), "um.example".parse().unwrap());
    let mut authorities = Authorities::new();
    let authority = |ministry| Authority::new(ministry, days(100)).unwrap();
    let world = (authority(&sm), authority(&um));
    authorities.add(&sm, world.0.certificate_pem()).unwrap();
    authorities.add(&um, world.1.certificate_pem()).unwrap();
    World { sm: world.0, um: world.1, verifier: Verifier::new(authorities) }
}

fn signer(authority: &Authority, id: &str, purpose: For, validity: Validity) -> Signer {
    let issued = authority.issue(&id.parse().unwrap(), purpose, validity);
    let issued = issued.unwrap();
    Signer::from_pem(&issued.certificate_pem, &issued.key_pem).unwrap()
}

impl World {
    /// A system of sm.example whose certificate the verifier has seen.
    fn system(&self) -> Signer {
        let id = "spiffe://sm.example/system/kirjaamo";
        let signer = signer(&self.sm, id, For::Signing, days(30));
        self.admit(&signer).unwrap();
        signer
    }

    fn admit(&self, signer: &Signer) -> Result<Fingerprint, VerifyError> {
        self.verifier.admit_certificate(signer.certificate(), NOW)
    }

    fn verify(&self, envelope: &Envelope) -> Result<VerifiedHeader, VerifyError> {
        self.verifier.message(envelope.clone(), decode, NOW)
    }
}

/// The test's own encoding: a text and the sender's ministry, so that `from` can be anything.
fn encode(text: &str, from: &str) -> Bytes {
    format!("{text}|{from}").into_bytes().into()
}

fn decode(bytes: &Bytes) -> Result<Header, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    let (subject, from) = text.split_once('|').ok_or("no sender")?;
    let body = salted_with_zeros(b"body");
    Ok(Header {
        id: MessageId::new(NOW, [1; 10]),
        from: format!("kirjaamo@{from}").parse().map_err(|_| "no address")?,
        to: Vec::<Recipient>::new(),
        label: None,
        precedence: Precedence::Routine,
        message_type: MessageType::Operation,
        created: NOW,
        expires: None,
        content_type: "text/plain".into(),
        body_size: 4,
        body_commitment: commit(&body).ok_or("no salt")?,
        subject: subject.into(),
        conversation: None,
        in_reply_to: None,
        obsoletes: None,
        sealing: None,
        drafter: None,
    })
}

fn salted_with_zeros(body: &[u8]) -> Bytes {
    [&[0; BODY_SALT_BYTES], body].concat().into()
}

fn envelopes(signer: &Signer, purpose: Purpose, size: usize) -> Vec<Envelope> {
    let headers: Vec<Bytes> = (0..size).map(|i| encode(&i.to_string(), "sm.example")).collect();
    let leaves: Vec<Digest> = headers.iter().map(|header| leaf(header)).collect();
    let proofs = signer.sign(purpose, &leaves);
    let joined = headers.into_iter().zip(proofs);
    joined.map(|(header, proof)| Envelope { header, proof }).collect()
}

fn lone(signer: &Signer, from: &str) -> Envelope {
    let header = encode("lone", from);
    let proof = signer.sign(Purpose::Messages, &[leaf(&header)]).remove(0);
    Envelope { header, proof }
}

#[test]
fn a_signature_for_one_purpose_is_none_for_another() {
    let world = world();
    let system = world.system();
    let envelope = envelopes(&system, Purpose::Approvals, 1).remove(0);
    assert!(matches!(world.verify(&envelope), Err(VerifyError::Signature(_))));
}

#[test]
fn messages_come_from_a_system_in_its_own_name() {
    let world = world();
    let system = world.system();
    assert!(world.verify(&lone(&system, "sm.example")).is_ok());
    let foreign = world.verify(&lone(&system, "um.example"));
    assert!(matches!(foreign, Err(VerifyError::Ministry { .. })));

    let relay = signer(&world.sm, "spiffe://sm.example/relay/r1", For::Signing, days(30));
    world.admit(&relay).unwrap();
    let by_relay = world.verify(&lone(&relay, "sm.example"));
    assert!(matches!(by_relay, Err(VerifyError::Role { .. })));
}

#[test]
fn what_is_signed_and_unreadable_is_the_senders_fault() {
    let world = world();
    let system = world.system();
    let header = Bytes::from_static(b"nothing that decodes");
    let proof = system.sign(Purpose::Messages, &[leaf(&header)]).remove(0);
    let refused = world.verify(&Envelope { header, proof }).unwrap_err();
    assert!(matches!(refused, VerifyError::Decode(_)));
    assert_eq!(refused.code(), Code::MALFORMED);
}

#[test]
fn nothing_is_decoded_before_its_signature_is_checked() {
    let world = world();
    let mut envelope = lone(&world.system(), "sm.example");
    envelope.header = encode("other", "sm.example");
    let decode = |_: &Bytes| -> Result<Header, Infallible> { panic!("decoded") };
    assert!(world.verifier.message(envelope, decode, NOW).is_err());
}

#[test]
fn a_body_joins_its_own_header_only() {
    let world = world();
    let verified = world.verify(&lone(&world.system(), "sm.example")).unwrap();
    let with = |body: Bytes| verified.clone().with_body(body);

    let message = with(salted_with_zeros(b"body")).unwrap();
    assert_eq!(&message.body()[..], b"body");
    assert_eq!(message.leaf(), verified.leaf());
    assert_eq!(message.into_parts(), (verified.clone(), salted_with_zeros(b"body")));

    for wrong in [&b""[..], b"bod", b"body!"] {
        let refused = with(salted_with_zeros(wrong));
        assert!(matches!(refused, Err(VerifyError::BodySize { expected: 4 })));
    }
    let unsalted = with(Bytes::from_static(b"body"));
    assert!(matches!(unsalted, Err(VerifyError::BodySize { .. })));
    for wrong in [salted_with_zeros(b"Body"), salted(b"body").unwrap()] {
        assert!(matches!(with(wrong), Err(VerifyError::BodyCommitment)));
    }
}
