//! Handling obligations on their way to a receiving system.

use std::time::Duration;

use kuriiri_types::{
    Handling, Marker, Onward,
    limits::{MARKER_BYTES_MAX, MARKERS_MAX},
};

use crate::{
    error::Flaw,
    field, proto,
    shape::{Field, Shape},
};

static MARKER: Shape = Shape::new("Marker", &[]);
pub(crate) static HANDLING: Shape =
    Shape::new("Handling", &[Field::many("markers", 1, MARKERS_MAX, &MARKER)]);

/// Rules are written by people, so markers over their limits are left out or cut: a receiver that
/// had to refuse the message would be worse.
pub(crate) fn write(handling: &Handling) -> proto::Handling {
    let onward = match handling.onward {
        Onward::Free => proto::Onward::Free,
        Onward::OriginatorConsent => proto::Onward::OriginatorConsent,
        Onward::Never => proto::Onward::Never,
    };
    proto::Handling {
        markers: handling.markers.iter().take(MARKERS_MAX).map(write_marker).collect(),
        onward: onward.into(),
        retain_max: handling.retain_max.as_ref().map(Duration::as_secs),
        retain_min: handling.retain_min.as_ref().map(Duration::as_secs),
    }
}

pub(crate) fn read(wire: Option<proto::Handling>) -> Result<Handling, Flaw> {
    let wire = field::present("handling", wire)?;
    field::at_most("handling.markers", MARKERS_MAX, wire.markers.len())?;
    Ok(Handling {
        markers: field::each(wire.markers, read_marker)?,
        onward: read_onward(wire.onward)?,
        retain_max: wire.retain_max.map(Duration::from_secs),
        retain_min: wire.retain_min.map(Duration::from_secs),
    })
}

fn write_marker(marker: &Marker) -> proto::Marker {
    let cut = |text| field::cut(MARKER_BYTES_MAX, text);
    proto::Marker { fi: cut(&marker.fi), sv: cut(&marker.sv), en: cut(&marker.en) }
}

fn read_marker(wire: proto::Marker) -> Result<Marker, Flaw> {
    let line = |text| field::line("handling.markers", MARKER_BYTES_MAX, text);
    Ok(Marker { fi: line(wire.fi)?, sv: line(wire.sv)?, en: line(wire.en)? })
}

fn read_onward(number: i32) -> Result<Onward, Flaw> {
    match proto::Onward::try_from(number) {
        Ok(proto::Onward::Free) => Ok(Onward::Free),
        Ok(proto::Onward::OriginatorConsent) => Ok(Onward::OriginatorConsent),
        Ok(proto::Onward::Never) => Ok(Onward::Never),
        Ok(proto::Onward::Unspecified) => Err(Flaw::Missing("handling.onward")),
        Err(_) => Err(Flaw::Unknown { field: "handling.onward", number: number.into() }),
    }
}
