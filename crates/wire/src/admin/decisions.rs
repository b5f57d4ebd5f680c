//! Recorded decisions.

use bytes::Bytes;

use crate::{
    error::Flaw,
    field,
    limits::{DECISION_BYTES_MAX, DECISIONS_MAX},
    proto,
    shape::{Field, Shape},
};

/// Recorded decisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionRecords {
    /// At most [`DECISIONS_MAX`] of 1 to [`DECISION_BYTES_MAX`] bytes, newest first; each as the
    /// relay recorded it.
    pub records: Vec<Bytes>,
}

pub(super) static RECORDS: Shape =
    Shape::new("DecisionRecords", &[Field::plain("records", 1, DECISIONS_MAX)]);

pub(super) fn write(records: &DecisionRecords) -> proto::DecisionRecords {
    proto::DecisionRecords { records: records.records.clone() }
}

pub(super) fn read(wire: proto::DecisionRecords) -> Result<DecisionRecords, Flaw> {
    field::at_most("records", DECISIONS_MAX, wire.records.len())?;
    for record in &wire.records {
        field::some_at_most("records", DECISION_BYTES_MAX, record.len())?;
    }
    Ok(DecisionRecords { records: wire.records })
}
