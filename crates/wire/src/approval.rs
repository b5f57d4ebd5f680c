//! The approval as the bytes that are signed.

use bytes::Bytes;
use kuriiri_types::{
    Approval, ApprovalAct, SealKeyId, SignedApproval, Timestamp,
    limits::{
        APPROVAL_BYTES_MAX, APPROVAL_NOTE_BYTES_MAX, APPROVAL_ROLES_MAX, APPROVALS_MAX,
        ROLE_NAME_BYTES_MAX, SEALING_KEYS_MAX,
    },
};
use prost::Message;

use crate::{
    envelope,
    error::{Flaw, WireError},
    field, header, label, proto,
    shape::{Field, Shape},
    signed,
};

/// The canonical encoding of an approval: what is signed.
///
/// An approval that breaks a limit encodes to bytes that [`decode`] refuses; whoever composes one
/// from outside input decodes it once before signing.
pub fn encode(approval: &Approval) -> Bytes {
    write(approval).encode_to_vec().into()
}

/// The approval in these bytes. Says nothing about who signed them.
///
/// # Errors
/// [`Code::MALFORMED`](kuriiri_types::Code::MALFORMED) when the bytes are not the canonical
/// encoding of an approval, or the approval breaks a rule or a limit.
pub fn decode(bytes: &[u8]) -> Result<Approval, WireError> {
    signed::canonical(APPROVAL_BYTES_MAX, bytes)
        .and_then(read)
        .map_err(|flaw| WireError::signed("approval", flaw))
}

fn write(approval: &Approval) -> proto::Approval {
    let (act, note) = match &approval.act {
        ApprovalAct::Release => (proto::ApprovalAct::Release, String::new()),
        ApprovalAct::Reject { note } => (proto::ApprovalAct::Reject, note.clone()),
    };
    proto::Approval {
        message: Bytes::copy_from_slice(approval.message.as_bytes()),
        subject: Bytes::copy_from_slice(approval.subject.as_bytes()),
        content: Bytes::copy_from_slice(approval.content.as_bytes()),
        label: Some(label::write(&approval.label)),
        recipients: approval.recipients.iter().map(header::write_recipient).collect(),
        keys: approval.keys.iter().map(header::write_seal_key).collect(),
        needed: approval.needed,
        until: approval.until.map(Timestamp::as_millis),
        expires: approval.expires.map(Timestamp::as_millis),
        officer: approval.officer.to_string(),
        roles: approval.roles.clone(),
        act: act.into(),
        note,
        at: approval.at.as_millis(),
    }
}

fn read(wire: proto::Approval) -> Result<Approval, Flaw> {
    Ok(Approval {
        message: field::message_id("message", &wire.message)?,
        subject: field::digest("subject", &wire.subject)?,
        content: field::digest("content", &wire.content)?,
        label: label::read(field::present("label", wire.label)?)?,
        recipients: header::read_recipients("recipients", &wire.recipients)?,
        keys: read_keys(&wire.keys)?,
        needed: read_needed(wire.needed)?,
        until: field::maybe_time(wire.until),
        expires: field::maybe_time(wire.expires),
        officer: field::identity("officer", &wire.officer)?,
        roles: read_roles(wire.roles)?,
        act: read_act(wire.act, wire.note)?,
        at: Timestamp::from_millis(wire.at),
    })
}

fn read_keys(wire: &[proto::SealKeyId]) -> Result<Vec<SealKeyId>, Flaw> {
    field::at_most("keys", SEALING_KEYS_MAX, wire.len())?;
    header::read_seal_keys("keys", wire)
}

fn read_needed(needed: u32) -> Result<u32, Flaw> {
    let found = usize::try_from(needed).unwrap_or(usize::MAX);
    field::some_at_most("needed", APPROVALS_MAX, found)?;
    Ok(needed)
}

fn read_roles(roles: Vec<String>) -> Result<Vec<String>, Flaw> {
    let field = "roles";
    field::at_most(field, APPROVAL_ROLES_MAX, roles.len())?;
    let roles = field::each(roles, |role| field::word(field, ROLE_NAME_BYTES_MAX, role))?;
    if roles.is_sorted_by(|a, b| a < b) {
        return Ok(roles);
    }
    let rule = "must be sorted and none may stand twice";
    Err(Flaw::Form { field, rule })
}

fn read_act(number: i32, note: String) -> Result<ApprovalAct, Flaw> {
    let note = field::line("note", APPROVAL_NOTE_BYTES_MAX, note)?;
    match proto::ApprovalAct::try_from(number) {
        Ok(proto::ApprovalAct::Release) if note.is_empty() => Ok(ApprovalAct::Release),
        Ok(proto::ApprovalAct::Release) => {
            let rule = "must be empty in a release";
            Err(Flaw::Form { field: "note", rule })
        }
        Ok(proto::ApprovalAct::Reject) => Ok(ApprovalAct::Reject { note }),
        Ok(proto::ApprovalAct::Unspecified) => Err(Flaw::Missing("act")),
        Err(_) => Err(Flaw::Unknown { field: "act", number: number.into() }),
    }
}

// === the signed approval in a frame ===

pub(crate) static SIGNED_APPROVAL: Shape =
    Shape::new("SignedApproval", &[Field::one("proof", 2, &envelope::BATCH_PROOF)]);

pub(crate) fn write_signed(signed: &SignedApproval) -> proto::SignedApproval {
    proto::SignedApproval {
        approval: signed.approval.clone(),
        proof: Some(envelope::write_proof(&signed.proof)),
    }
}

pub(crate) fn read_signed(wire: proto::SignedApproval) -> Result<SignedApproval, Flaw> {
    field::some_at_most("approval", APPROVAL_BYTES_MAX, wire.approval.len())?;
    Ok(SignedApproval { approval: wire.approval, proof: envelope::read_proof(wire.proof)? })
}

/// The approvals that travel with one message.
pub(crate) fn read_all(wire: Vec<proto::SignedApproval>) -> Result<Vec<SignedApproval>, Flaw> {
    field::at_most("approvals", APPROVALS_MAX, wire.len())?;
    field::each(wire, read_signed)
}
