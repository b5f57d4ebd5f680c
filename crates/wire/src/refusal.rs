//! Refusals wherever they stand, and their reasons.

use kuriiri_types::Refusal;

use crate::{
    error::Flaw,
    field,
    limits::{REASON_BYTES_MAX, REASONS_MAX},
    proto,
    shape::{Field, Shape},
};

pub(crate) static REFUSAL: Shape =
    Shape::new("Refusal", &[Field::plain("reasons", 2, REASONS_MAX)]);

pub(crate) fn write(refusal: &Refusal) -> proto::Refusal {
    proto::Refusal { code: refusal.code.number().into(), reasons: write_reasons(&refusal.reasons) }
}

pub(crate) fn read(wire: proto::Refusal) -> Result<Refusal, Flaw> {
    Ok(Refusal { code: field::code(wire.code)?, reasons: read_reasons(wire.reasons)? })
}

pub(crate) fn write_reasons(reasons: &[String]) -> Vec<String> {
    let kept = reasons.iter().take(REASONS_MAX);
    kept.map(|reason| field::cut(REASON_BYTES_MAX, reason)).collect()
}

pub(crate) fn read_reasons(reasons: Vec<String>) -> Result<Vec<String>, Flaw> {
    field::at_most("reasons", REASONS_MAX, reasons.len())?;
    field::each(reasons, |r| field::line("reasons", REASON_BYTES_MAX, r))
}
