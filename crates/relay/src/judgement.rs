//! Whether new files may replace those in force: what they change, and what was in force before.

use kuriiri_policy::{Acceptance, Lang, PolicyDiff, accept};
use kuriiri_types::Timestamp;

use crate::{acceptance::candidate, config::Config, in_force::InForce, signed::FileVersion};

/// What was found out about files that are offered together.
#[derive(Debug)]
pub(crate) struct Judgement {
    /// For each file of the configuration, in order.
    pub(crate) files: Vec<(FileVersion, Acceptance)>,
    /// What the new files decide differently.
    pub(crate) diff: PolicyDiff,
    /// The name of a file in force that is gone, if without it more is permitted: nobody signs that a file is
    /// taken out.
    pub(crate) missing: Option<String>,
}

impl Judgement {
    /// True when all of them may be put in force.
    pub(crate) fn is_good(&self) -> bool {
        let good = [Acceptance::Accept, Acceptance::Unchanged];
        self.missing.is_none() && self.files.iter().all(|(_, acceptance)| good.contains(acceptance))
    }

    /// The first that may not.
    pub(crate) fn problem(&self) -> Option<(&FileVersion, Acceptance)> {
        let bad = |(_, acceptance): &&(FileVersion, Acceptance)| {
            !matches!(acceptance, Acceptance::Accept | Acceptance::Unchanged)
        };
        self.files.iter().find(bad).map(|(version, acceptance)| (version, *acceptance))
    }
}

/// Holds a new configuration against the one in force.
///
/// The record says which files were in force, by what they are and not by what they are called; so a file that
/// gets another name, or comes back after it was taken out, is held against the one that it was.
pub(crate) fn judge(now: Timestamp, current: &InForce, new: &Config) -> Judgement {
    let diff = current.policy.diff(&new.policy);
    let files = new.signed.0.iter().zip(&new.versions).map(|(file, version)| {
        let candidate = candidate(file, version, &new.signers, diff.widens);
        (version.clone(), accept(now, new.record.last(version), &candidate))
    });
    let missing = new.record.missing_in(&new.versions).next().filter(|_| diff.widens);
    Judgement { files: files.collect(), missing: missing.map(Into::into), diff }
}

/// What people read of a difference, one line each: newly permitted, newly denied, other changes.
pub(crate) fn lines(diff: &PolicyDiff) -> [Vec<String>; 3] {
    let say = |change: &kuriiri_policy::Change| change.line(Lang::En);
    let mut others: Vec<String> = diff.changed_obligations().map(say).collect();
    others.extend(diff.notes.iter().map(|note| note.text.clone()));
    [diff.newly_permitted().map(say).collect(), diff.newly_denied().map(say).collect(), others]
}
