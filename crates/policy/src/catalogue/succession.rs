//! Labels that change at a time that the originator planned (ADatP-4774 §4.3).

use std::time::Duration;

use kuriiri_types::Timestamp;

use super::Catalogue;
use crate::label::{Invalid, Label, LabelFault};

impl Catalogue {
    /// The label in force at `now`. While clocks that differ by up to `skew` may disagree whether
    /// the time has come, both labels bind at once: then a downgrade waits until it is certain
    /// and an upgrade holds as soon as it is possible.
    pub(crate) fn in_force(
        &self,
        old: Label,
        at: Timestamp,
        new: Label,
        now: Timestamp,
        skew: Duration,
    ) -> Result<Label, Invalid> {
        if now >= at.after(skew) {
            return Ok(new);
        }
        if now < at.before(skew) {
            return Ok(old);
        }
        self.join_labels(&[old, new]).map_err(|_| LabelFault::SuccessionUncertain.into())
    }
}
