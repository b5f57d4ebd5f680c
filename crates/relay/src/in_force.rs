//! Whether signed files may be put in force: who signed them, what they change, and what was in
//! force before.

use kuriiri_policy::{
    Acceptance, Candidate, Federation, Lang, Policy, PolicyDiff, Version, accept,
};
use kuriiri_types::{Code, Timestamp};

use crate::{
    clock,
    config::{Config, Signers},
    error::ConfigError,
    signed::{FileVersion, SignedFile, SignedFiles},
};

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
    let widens = diff.widens || trusts_others(policy.federation(), new.policy.federation());
    let files = new.signed.0.iter().zip(&new.versions).map(|(file, version)| {
        let current = versions.iter().find(|known| known.name == version.name);
        let current = current.map(|known| Version { serial: known.serial, digest: known.digest });
        let candidate = candidate(file, version, &new.signers, widens);
        (version.clone(), accept(now, current, &candidate))
    });
    Judgement { files: files.collect(), diff }
}

/// Holds the files of a relay that starts against the record of those that were in force last.
/// What came in while it was down can no longer be compared, so it counts as widening.
pub(crate) fn check_start(config: &Config) -> Result<(), ConfigError> {
    for (file, version) in config.signed.0.iter().zip(&config.versions) {
        let Some((serial, sha256)) = config.record.find(&version.name) else { continue };
        let current = if sha256 == version.digest.to_string() {
            Version { serial, digest: version.digest }
        } else {
            // Only whether the digests are equal is looked at.
            Version { serial, digest: kuriiri_types::Digest([0; 32]) }
        };
        // A file in force stays so after its time: a frozen policy is safer than a dead network.
        let candidate =
            Candidate { expires: None, ..candidate(file, version, &config.signers, true) };
        let acceptance = accept(clock::now(), Some(current), &candidate);
        if let Some(code) = code(acceptance) {
            let what = format!(
                "{acceptance}: it has serial {}, and {serial} was in force when the relay ran last",
                version.serial
            );
            return Err(ConfigError::new(&file.path, code, what));
        }
    }
    Ok(())
}

/// Every file must be signed by somebody who may.
pub(crate) fn check_signatures(files: &SignedFiles, signers: &Signers) -> Result<(), ConfigError> {
    for file in &files.0 {
        let pinned = signers.get(&file.part).ok_or_else(|| {
            ConfigError::new(&file.path, Code::POLICY_SIGNATURE, "nobody may sign such a file")
        })?;
        file.verify(pinned, clock::now())?;
    }
    Ok(())
}

/// The number of what keeps a file from being put in force.
pub(crate) fn code(acceptance: Acceptance) -> Option<Code> {
    match acceptance {
        Acceptance::Accept | Acceptance::Unchanged => None,
        Acceptance::Signature => Some(Code::POLICY_SIGNATURE),
        Acceptance::Rollback => Some(Code::POLICY_ROLLBACK),
        Acceptance::Equivocation => Some(Code::POLICY_EQUIVOCATION),
        Acceptance::Expired => Some(Code::POLICY_EXPIRED),
        Acceptance::Lint => Some(Code::POLICY_LINT),
        Acceptance::Tests => Some(Code::POLICY_TESTS),
        Acceptance::SecondSignature => Some(Code::POLICY_SECOND_SIGNATURE),
    }
}

/// What people read of a difference, one line each: newly permitted, newly denied, other changes.
pub(crate) fn lines(diff: &PolicyDiff) -> [Vec<String>; 3] {
    let say = |change: &kuriiri_policy::Change| change.line(Lang::En);
    let mut others: Vec<String> = diff.changed_obligations().map(say).collect();
    others.extend(diff.notes.iter().map(|note| note.text.clone()));
    [diff.newly_permitted().map(say).collect(), diff.newly_denied().map(say).collect(), others]
}

fn candidate(
    file: &SignedFile,
    version: &FileVersion,
    signers: &Signers,
    widens: bool,
) -> Candidate {
    let verified =
        signers.get(&file.part).and_then(|pinned| file.verify(pinned, clock::now()).ok());
    let count = verified.as_ref().map_or(0, |verified| verified.signers().len());
    Candidate {
        version: Version { serial: version.serial, digest: version.digest },
        expires: version.expires,
        signature_ok: verified.is_some(),
        signers: u32::try_from(count).unwrap_or(u32::MAX),
        lint_ok: true,
        tests_ok: true,
        widens,
    }
}

/// True when the new members' keys or places are not those of before: whoever names another CA
/// lets others in, whatever the labels say.
fn trusts_others(old: &Federation, new: &Federation) -> bool {
    new.nodes().any(|(_, node)| {
        let known = old.by_id(node.id()).and_then(|known| old.get(known));
        known.is_none_or(|known| {
            (known.domain(), known.ca(), known.endpoints())
                != (node.domain(), node.ca(), node.endpoints())
        })
    })
}
