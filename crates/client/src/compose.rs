//! From a draft to a header and a body: everything but the signature.

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_seal::{SealingPublicKey, commit, salted, seal};
use kuriiri_types::{Address, Digest, Header, MessageId, Ministry, limits::BODY_BYTES_MAX};
use kuriiri_wire::header;
use uuid::Uuid;

use crate::{
    draft::Draft,
    error::SendError,
    system::System,
    terms::{Terms, TermsKey},
};

/// A message that only needs a signature.
#[derive(Debug)]
pub(crate) struct Composed {
    pub(crate) header: Header,
    /// The header as it is signed.
    pub(crate) bytes: Bytes,
    /// The leaf hash of these bytes.
    pub(crate) leaf: Digest,
    /// Salt ‖ body, sealed if it must be.
    pub(crate) body: Bytes,
    /// Releasing officers that it will wait for.
    pub(crate) approvals: u32,
}

/// Makes a message of a draft, under the terms that the relay gave.
pub(crate) fn compose(
    system: &System,
    draft: Draft,
    key: TermsKey,
    terms: Terms,
) -> Result<Composed, SendError> {
    let id = new_id()?;
    let (sealing, carried) = if terms.seal {
        let to = sealing_keys(system, &key.destinations, terms)?;
        let (sealing, sealed) = seal(&draft.body, &to, &id).map_err(SendError::Seal)?;
        (Some(sealing), Bytes::from(sealed))
    } else {
        (None, draft.body.clone())
    };
    let bytes = size(&carried);
    let max = terms.size_max.min(BODY_BYTES_MAX);
    if bytes > max {
        return Err(SendError::TooBig { bytes: size(&draft.body), carried: bytes, max });
    }
    let body = salted(&carried).map_err(SendError::Salt)?;
    let commitment = commit(&body).ok_or(SendError::Internal("a salted body has no salt"))?;
    let header = Header { sealing, ..plain(draft, key.from, id, bytes, commitment) };
    let bytes = encode(&header)?;
    Ok(Composed { leaf: leaf(&bytes), header, bytes, body, approvals: terms.approvals })
}

/// Holds a draft against the rules of the format before anybody is asked about it.
pub(crate) fn check_draft(draft: &Draft, from: &Address) -> Result<(), SendError> {
    let unknown = Digest([0; 32]);
    let header = plain(draft.clone(), from.clone(), new_id()?, size(&draft.body), unknown);
    encode(&header).map(|_| ())
}

fn plain(draft: Draft, from: Address, id: MessageId, size: u64, commitment: Digest) -> Header {
    Header {
        id,
        from,
        to: draft.to,
        label: draft.label,
        precedence: draft.precedence,
        message_type: draft.message_type,
        created: id.time(),
        expires: draft.expires,
        content_type: draft.content_type,
        body_size: size,
        body_commitment: commitment,
        subject: draft.subject,
        conversation: draft.conversation,
        in_reply_to: draft.in_reply_to,
        obsoletes: draft.obsoletes,
        sealing: None,
        drafter: draft.drafter,
    }
}

/// The bytes to be signed, if everybody else will be able to read them.
fn encode(header: &Header) -> Result<Bytes, SendError> {
    header::encode_checked(header).map_err(SendError::Malformed)
}

/// Who must be able to open the body: the recipients' ministries, and the officers who release it,
/// for they have to read it first.
fn sealing_keys(
    system: &System,
    destinations: &[Ministry],
    terms: Terms,
) -> Result<Vec<(Ministry, SealingPublicKey)>, SendError> {
    let mut keys = Vec::with_capacity(destinations.len().saturating_add(1));
    for ministry in destinations {
        keys.push(key_of(system, ministry)?);
    }
    if terms.approvals > 0 {
        keys.push((system.home().clone(), release_key(system)?));
    }
    Ok(keys)
}

fn release_key(system: &System) -> Result<SealingPublicKey, SendError> {
    system.release_key.as_deref().cloned().ok_or_else(|| {
        let file = system.trust_folder.join(format!("{}.release.pub", system.home()));
        SendError::NoReleaseKey { file }
    })
}

fn key_of(system: &System, ministry: &Ministry) -> Result<(Ministry, SealingPublicKey), SendError> {
    match system.sealing_keys.get(ministry) {
        Some(key) => Ok((ministry.clone(), key.clone())),
        None => {
            let file = system.trust_folder.join(format!("{ministry}.seal.pub"));
            Err(SendError::NoSealingKey { ministry: ministry.clone(), file })
        }
    }
}

fn new_id() -> Result<MessageId, SendError> {
    let id = MessageId::from_bytes(*Uuid::now_v7().as_bytes());
    id.ok_or(SendError::Internal("an id is not of version 7"))
}

fn size(body: &[u8]) -> u64 {
    u64::try_from(body.len()).unwrap_or(u64::MAX)
}
