//! Whether new files may replace those in force: what they change, and what was in force before.

use kuriiri_policy::{Acceptance, Lang, Policy, PolicyDiff, Version, accept};
use kuriiri_types::Timestamp;

use crate::{acceptance::candidate, config::Config, signed::FileVersion};

/// What was found out about files that are offered together.
#[derive(Debug)]
pub(crate) struct Judgement {
    /// For each file of the configuration, in order.
    pub(crate) files: Vec<(FileVersion, Acceptance)>,
    /// What the new files decide differently.
    pub(crate) diff: PolicyDiff,
}

impl Judgement {
    /// True when all of them may be put in force.
    pub(crate) fn is_good(&self) -> bool {
        let good = [Acceptance::Accept, Acceptance::Unchanged];
        self.files.iter().all(|(_, acceptance)| good.contains(acceptance))
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
pub(crate) fn judge(
    now: Timestamp,
    policy: &Policy,
    versions: &[FileVersion],
    new: &Config,
) -> Judgement {
    let diff = policy.diff(&new.policy);
    let widens = diff.widens || policy.federation().lets_in_others(new.policy.federation());
    let files = new.signed.0.iter().zip(&new.versions).map(|(file, version)| {
        let current = versions.iter().find(|known| known.name == version.name);
        let current = current.map(|known| Version { serial: known.serial, digest: known.digest });
        let candidate = candidate(file, version, &new.signers, widens);
        (version.clone(), accept(now, current, &candidate))
    });
    Judgement { files: files.collect(), diff }
}

/// What people read of a difference, one line each: newly permitted, newly denied, other changes.
pub(crate) fn lines(diff: &PolicyDiff) -> [Vec<String>; 3] {
    let say = |change: &kuriiri_policy::Change| change.line(Lang::En);
    let mut others: Vec<String> = diff.changed_obligations().map(say).collect();
    others.extend(diff.notes.iter().map(|note| note.text.clone()));
    [diff.newly_permitted().map(say).collect(), diff.newly_denied().map(say).collect(), others]
}
