//! The header as the bytes that are signed.

mod rules;

use bytes::Bytes;
use kuriiri_types::{
    Header, MessageId, MessageType, Recipient, Role, SealKeyId, Sealing, Timestamp,
    limits::HEADER_BYTES_MAX,
};
use prost::Message;

use crate::{
    error::{Flaw, WireError},
    field, label, proto, signed,
};

/// The canonical encoding of a header: what is signed.
///
/// A header that breaks a limit encodes to bytes that [`decode`] refuses; whoever composes one
/// from outside input takes [`encode_checked`].
pub fn encode(header: &Header) -> Bytes {
    write(header).encode_to_vec().into()
}

/// The canonical encoding of a header that [`decode`] takes.
///
/// # Errors
/// [`Code::MALFORMED`](kuriiri_types::Code::MALFORMED) when the header breaks a rule or a limit.
pub fn encode_checked(header: &Header) -> Result<Bytes, WireError> {
    let encoded = || {
        rules::check(header)?;
        let bytes = encode(header);
        field::at_most("bytes", HEADER_BYTES_MAX, bytes.len())?;
        Ok(bytes)
    };
    encoded().map_err(|flaw| WireError::signed("header", flaw))
}

/// The header in these bytes. Says nothing about who signed them.
///
/// # Errors
/// [`Code::MALFORMED`](kuriiri_types::Code::MALFORMED) when the bytes are not the canonical
/// encoding of a header, or the header breaks a rule or a limit.
pub fn decode(bytes: &[u8]) -> Result<Header, WireError> {
    signed::canonical(HEADER_BYTES_MAX, bytes)
        .and_then(read)
        .map_err(|flaw| WireError::signed("header", flaw))
}

// === domain → wire ===

fn write(header: &Header) -> proto::Header {
    let id = |id: &MessageId| Bytes::copy_from_slice(id.as_bytes());
    proto::Header {
        id: id(&header.id),
        from: header.from.to_string(),
        to: header.to.iter().map(write_recipient).collect(),
        label: header.label.as_ref().map(label::write),
        precedence: header.precedence.number().into(),
        message_type: write_message_type(header.message_type).into(),
        created: header.created.as_millis(),
        expires: header.expires.map(Timestamp::as_millis),
        content_type: header.content_type.clone(),
        body_size: header.body_size,
        body_commitment: Bytes::copy_from_slice(header.body_commitment.as_bytes()),
        subject: header.subject.clone(),
        conversation: header.conversation.as_ref().map(id),
        in_reply_to: header.in_reply_to.as_ref().map(id),
        obsoletes: header.obsoletes.as_ref().map(id),
        sealing: header.sealing.as_ref().map(write_sealing),
        drafter: header.drafter.clone(),
    }
}

pub(crate) fn write_recipient(recipient: &Recipient) -> proto::Recipient {
    let role = match recipient.role {
        Role::Action => proto::Role::Action,
        Role::Info => proto::Role::Info,
    };
    proto::Recipient { address: recipient.address.to_string(), role: role.into() }
}

fn write_message_type(message_type: MessageType) -> proto::MessageType {
    match message_type {
        MessageType::Operation => proto::MessageType::Operation,
        MessageType::Exercise => proto::MessageType::Exercise,
        MessageType::Drill => proto::MessageType::Drill,
    }
}

fn write_sealing(sealing: &Sealing) -> proto::Sealing {
    proto::Sealing {
        suite: sealing.suite,
        keys: sealing.keys.iter().map(write_seal_key).collect(),
        content: Bytes::copy_from_slice(sealing.content.as_bytes()),
    }
}

pub(crate) fn write_seal_key(key: &SealKeyId) -> proto::SealKeyId {
    proto::SealKeyId {
        ministry: key.ministry.as_str().into(),
        key: Bytes::copy_from_slice(key.key.as_bytes()),
    }
}

// === wire → domain ===

fn read(wire: proto::Header) -> Result<Header, Flaw> {
    let id = |name, bytes: Option<Bytes>| bytes.map(|b| field::message_id(name, &b)).transpose();
    let header = Header {
        id: field::message_id("id", &wire.id)?,
        from: field::address("from", &wire.from)?,
        to: wire.to.iter().map(read_recipient).collect::<Result<_, _>>()?,
        label: wire.label.map(label::read_unchecked).transpose()?,
        precedence: field::precedence(wire.precedence)?,
        message_type: read_message_type(wire.message_type)?,
        created: Timestamp::from_millis(wire.created),
        expires: field::maybe_time(wire.expires),
        content_type: wire.content_type,
        body_size: wire.body_size,
        body_commitment: field::digest("body_commitment", &wire.body_commitment)?,
        subject: wire.subject,
        conversation: id("conversation", wire.conversation)?,
        in_reply_to: id("in_reply_to", wire.in_reply_to)?,
        obsoletes: id("obsoletes", wire.obsoletes)?,
        sealing: wire.sealing.as_ref().map(read_sealing).transpose()?,
        drafter: wire.drafter,
    };
    rules::check(&header)?;
    Ok(header)
}

pub(crate) use rules::once_each;

pub(crate) fn read_recipients(
    field: field::Name,
    wire: &[proto::Recipient],
) -> Result<Vec<Recipient>, Flaw> {
    let recipients = wire.iter().map(read_recipient).collect::<Result<Vec<_>, _>>()?;
    rules::check_recipients(field, &recipients)?;
    Ok(recipients)
}

fn read_recipient(wire: &proto::Recipient) -> Result<Recipient, Flaw> {
    let role = match proto::Role::try_from(wire.role) {
        Ok(proto::Role::Action) => Role::Action,
        Ok(proto::Role::Info) => Role::Info,
        Ok(proto::Role::Unspecified) => return Err(Flaw::Missing("to.role")),
        Err(_) => return Err(unknown("to.role", wire.role)),
    };
    let address = field::address("to.address", &wire.address)?;
    Ok(Recipient { address, role })
}

fn read_message_type(number: i32) -> Result<MessageType, Flaw> {
    match proto::MessageType::try_from(number) {
        Ok(proto::MessageType::Operation) => Ok(MessageType::Operation),
        Ok(proto::MessageType::Exercise) => Ok(MessageType::Exercise),
        Ok(proto::MessageType::Drill) => Ok(MessageType::Drill),
        Ok(proto::MessageType::Unspecified) => Err(Flaw::Missing("message_type")),
        Err(_) => Err(unknown("message_type", number)),
    }
}

fn unknown(field: field::Name, number: i32) -> Flaw {
    let number = number.into();
    Flaw::Unknown { field, number }
}

pub(crate) fn read_content_type(text: String) -> Result<String, Flaw> {
    rules::check_content_type(&text).map(|()| text)
}

pub(crate) fn read_drafter(name: String) -> Result<String, Flaw> {
    rules::check_drafter(&name).map(|()| name)
}

fn read_sealing(wire: &proto::Sealing) -> Result<Sealing, Flaw> {
    Ok(Sealing {
        suite: wire.suite,
        keys: wire.keys.iter().map(read_seal_key).collect::<Result<_, _>>()?,
        content: field::digest("sealing.content", &wire.content)?,
    })
}

pub(crate) fn read_seal_keys(
    field: field::Name,
    wire: &[proto::SealKeyId],
) -> Result<Vec<SealKeyId>, Flaw> {
    let keys = wire.iter().map(read_seal_key).collect::<Result<Vec<_>, _>>()?;
    rules::check_seal_keys(field, &keys)?;
    Ok(keys)
}

fn read_seal_key(wire: &proto::SealKeyId) -> Result<SealKeyId, Flaw> {
    Ok(SealKeyId {
        ministry: field::ministry("sealing.keys.ministry", &wire.ministry)?,
        key: field::digest("sealing.keys.key", &wire.key)?,
    })
}
