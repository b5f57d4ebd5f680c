//! Checkpoints of other logs that this relay says it cosigned.

use std::time::Duration;

use kuriiri_tlog::{Checkpoint, Note};
use kuriiri_types::{Timestamp, limits::CLOCK_SKEW_MAX};

use crate::{
    check_entry::Spot,
    finding::{Check, Finding, Findings},
    kept_checkpoints::parsed,
    trusted::Trusted,
};

/// Times of cosignatures are in whole seconds.
const SECOND: Duration = Duration::from_secs(1);

/// The signature of the log that was witnessed, and this relay's own.
pub(super) fn check(trusted: &Trusted, spot: Spot, note: &[u8], out: &mut Findings) {
    let keys = &trusted.keys;
    let Some(seen) = parsed(note) else { return };
    let Ok(read) = Note::parse(note) else { return };
    if let Some(key) = keys.log(&seen.origin)
        && Checkpoint::in_note(&read, &key).is_err()
    {
        let what = format!("{} did not sign what was cosigned", seen.origin);
        out.add(Finding::fault(Check::Witnessing, what).at(spot.index));
    }
    let Some(key) = keys.witness(&trusted.home) else { return };
    if let Ok(Some(signed)) = read.verify(key) {
        let far = signed.time.and_then(|time| far(time, spot.at));
        far.into_iter().for_each(|finding| out.add(finding.at(spot.index)));
    } else {
        let what = "this relay's cosignature is not on what it says it cosigned";
        out.add(Finding::fault(Check::Witnessing, what).at(spot.index));
    }
}

/// A cosignature and the entry that says so are of one moment and one clock, unless that was set in between.
fn far(time: u64, at: Timestamp) -> Option<Finding> {
    let cosigned = i64::try_from(time).unwrap_or(i64::MAX).saturating_mul(1000);
    let cosigned = Timestamp::from_millis(cosigned);
    let apart = at.since(cosigned).max(cosigned.since(at));
    let what = format!("it was cosigned at {cosigned} by this relay, as it says at {at}");
    if apart > CLOCK_SKEW_MAX {
        let what = format!("{what}; its clock was set, or one of the two is not so");
        Some(Finding::unchecked(Check::Witnessing, what))
    } else {
        (apart > SECOND).then(|| Finding::note(Check::Witnessing, what))
    }
}
