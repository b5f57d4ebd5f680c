//! Whether a signed file may be put in force: who signed it, and what is on record.

use std::{collections::BTreeMap, path::Path};

use bytes::Bytes;
use kuriiri_policy::{Acceptance, Candidate, Version, accept};
use kuriiri_types::{Code, Fingerprint};

use crate::{
    clock,
    error::ConfigError,
    record::Record,
    signed::{FileVersion, SignedFile, SignedFiles, Signers},
};

/// Holds the files of a relay that starts against the record of those that were in force last.
/// What came in while it was down can no longer be compared, so it counts as widening.
pub(crate) fn check_start(
    configuration: &Path,
    files: &SignedFiles,
    versions: &[FileVersion],
    record: &Record,
    signers: &Signers,
) -> Result<(), ConfigError> {
    if record.is_empty() {
        return Ok(());
    }
    if let Some(name) = record.missing_in(versions).next() {
        let what = format!(
            "it does not name `{name}`, which was in force when the relay ran last; name it again, and take it \
             out while the relay runs"
        );
        return Err(ConfigError::new(configuration, Code::POLICY_MISSING, what));
    }
    for (file, version) in files.0.iter().zip(versions) {
        let last = record.last(version);
        // A file in force stays so after its time: a frozen policy is safer than a dead network.
        let candidate = Candidate { expires: None, ..candidate(file, version, signers, true) };
        let acceptance = accept(clock::now(), last, &candidate);
        if let Some(code) = code(acceptance) {
            let last = last
                .map_or_else(|| "no such file".into(), |last| format!("serial {}", last.serial));
            let what = format!(
                "{acceptance}: it has serial {}, and {last} was in force when the relay ran last",
                version.serial
            );
            return Err(ConfigError::new(&file.path, code, what));
        }
    }
    Ok(())
}

/// Every file must be signed by somebody who may. Gives the certificates of those whose signatures
/// count, each once.
pub(crate) fn check_signatures(
    files: &SignedFiles,
    signers: &Signers,
) -> Result<BTreeMap<Fingerprint, Bytes>, ConfigError> {
    let mut certificates = BTreeMap::new();
    for file in &files.0 {
        let pinned = signers.get(&file.part).ok_or_else(|| {
            ConfigError::new(&file.path, Code::POLICY_SIGNATURE, "nobody may sign such a file")
        })?;
        let verified = file.verify(pinned, clock::now())?;
        certificates.extend(verified.certificates().clone());
    }
    Ok(certificates)
}

/// The number of what keeps a file from being put in force.
pub(crate) fn code(acceptance: Acceptance) -> Option<Code> {
    match acceptance {
        Acceptance::Accept | Acceptance::Unchanged => None,
        Acceptance::Signature => Some(Code::POLICY_SIGNATURE),
        Acceptance::Rollback => Some(Code::POLICY_ROLLBACK),
        Acceptance::Equivocation => Some(Code::POLICY_EQUIVOCATION),
        Acceptance::Jump => Some(Code::POLICY_JUMP),
        Acceptance::Expired => Some(Code::POLICY_EXPIRED),
        Acceptance::Lint => Some(Code::POLICY_LINT),
        Acceptance::Tests => Some(Code::POLICY_TESTS),
        Acceptance::SecondSignature => Some(Code::POLICY_SECOND_SIGNATURE),
    }
}

/// A file as it is judged.
pub(crate) fn candidate(
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
