//! What of a relay has an end, and when.

use kuriiri_types::Timestamp;

use crate::{
    error::Flaw,
    field,
    limits::{LAPSES_MAX, REASON_BYTES_MAX},
    proto,
    shape::{Field, Shape},
};

/// Everything that ends, by the relay's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lapses {
    /// What the relay's clock says.
    pub now: Timestamp,
    /// At most [`LAPSES_MAX`], those that end first first.
    pub lapses: Vec<Lapse>,
}

/// One thing that ends. Each text is one line of at most [`REASON_BYTES_MAX`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lapse {
    /// What ends.
    pub what: String,
    /// Whose it is.
    pub whose: String,
    /// Until when it counts.
    pub ends: Timestamp,
    /// Where the relay reads it.
    pub file: String,
    /// What happens then.
    pub then: String,
}

static LAPSE: Shape = Shape::new("Lapse", &[]);
pub(super) static LAPSES: Shape =
    Shape::new("Lapses", &[Field::many("lapses", 2, LAPSES_MAX, &LAPSE)]);
pub(super) static LIST: Shape = Shape::new("LapseList", &[]);

pub(super) fn write(lapses: &Lapses) -> proto::Lapses {
    let lapse = |lapse: &Lapse| proto::Lapse {
        what: field::cut(REASON_BYTES_MAX, &lapse.what),
        whose: field::cut(REASON_BYTES_MAX, &lapse.whose),
        ends: lapse.ends.as_millis(),
        file: field::cut(REASON_BYTES_MAX, &lapse.file),
        then: field::cut(REASON_BYTES_MAX, &lapse.then),
    };
    let first = lapses.lapses.iter().take(LAPSES_MAX);
    proto::Lapses { now: lapses.now.as_millis(), lapses: first.map(lapse).collect() }
}

pub(super) fn read(wire: proto::Lapses) -> Result<Lapses, Flaw> {
    field::at_most("lapses", LAPSES_MAX, wire.lapses.len())?;
    let lapses = field::each(wire.lapses, |proto::Lapse { what, whose, ends, file, then }| {
        Ok(Lapse {
            what: field::line("what", REASON_BYTES_MAX, what)?,
            whose: field::line("whose", REASON_BYTES_MAX, whose)?,
            ends: Timestamp::from_millis(ends),
            file: field::line("file", REASON_BYTES_MAX, file)?,
            then: field::line("then", REASON_BYTES_MAX, then)?,
        })
    })?;
    Ok(Lapses { now: Timestamp::from_millis(wire.now), lapses })
}
