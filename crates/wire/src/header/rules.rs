//! The rules and limits of a header, for one that is read and for one that is composed alike.

use kuriiri_types::{
    Address, Header, Recipient, SealKeyId, Sealing, SpiffeId,
    limits::{
        CONTENT_TYPE_BYTES_MAX, RECIPIENTS_MAX, SEALING_KEYS_MAX, SPIFFE_NAME_BYTES_MAX,
        SUBJECT_BYTES_MAX,
    },
};

use crate::{error::Flaw, field, label};

/// Everything but the number of its bytes.
pub(super) fn check(header: &Header) -> Result<(), Flaw> {
    check_recipients("to", &header.to)?;
    header.label.as_ref().map_or(Ok(()), label::check)?;
    check_content_type(&header.content_type)?;
    field::check_line("subject", SUBJECT_BYTES_MAX, &header.subject)?;
    header.sealing.as_ref().map_or(Ok(()), check_sealing)?;
    header.drafter.as_deref().map_or(Ok(()), check_drafter)
}

pub(super) fn check_recipients(field: field::Name, recipients: &[Recipient]) -> Result<(), Flaw> {
    field::some_at_most(field, RECIPIENTS_MAX, recipients.len())?;
    once_each(field, recipients.iter().map(|r| &r.address))
}

/// Holds that no address stands twice. Few enough to compare each with each before it.
pub(crate) fn once_each<'a>(
    field: field::Name,
    addresses: impl Iterator<Item = &'a Address> + Clone,
) -> Result<(), Flaw> {
    let seen_before = |(i, address)| addresses.clone().take(i).any(|earlier| earlier == address);
    if addresses.clone().enumerate().any(seen_before) {
        let rule = "has an address twice";
        return Err(Flaw::Form { field, rule });
    }
    Ok(())
}

pub(super) fn check_content_type(text: &str) -> Result<(), Flaw> {
    let field = "content_type";
    field::some_at_most(field, CONTENT_TYPE_BYTES_MAX, text.len())?;
    if text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
        return Ok(());
    }
    let rule = "must be printable ASCII";
    Err(Flaw::Form { field, rule })
}

pub(super) fn check_drafter(name: &str) -> Result<(), Flaw> {
    let field = "drafter";
    field::some_at_most(field, SPIFFE_NAME_BYTES_MAX, name.len())?;
    let rule = "must be letters, digits, `-`, `_` and `.`, as in an identity";
    if SpiffeId::is_name(name) { Ok(()) } else { Err(Flaw::Form { field, rule }) }
}

fn check_sealing(sealing: &Sealing) -> Result<(), Flaw> {
    let field = "sealing.keys";
    if sealing.suite == 0 {
        return Err(Flaw::Missing("sealing.suite"));
    }
    field::some_at_most(field, SEALING_KEYS_MAX, sealing.keys.len())?;
    check_seal_keys(field, &sealing.keys)
}

pub(super) fn check_seal_keys(field: field::Name, keys: &[SealKeyId]) -> Result<(), Flaw> {
    if keys.is_sorted_by(|a, b| a < b) {
        return Ok(());
    }
    let rule = "must be sorted and none may stand twice";
    Err(Flaw::Form { field, rule })
}
