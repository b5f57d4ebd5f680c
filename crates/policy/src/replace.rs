//! Whether a new signed file may replace the one in force.

use std::fmt;

use kuriiri_types::{Digest, Timestamp};

/// Signers that a file needs when it permits something that is denied today.
pub const SIGNERS_TO_WIDEN: u32 = 2;

/// By how much a serial may rise at once. Dates may be serials, such as 20261130; but one signed file cannot
/// use up all 2⁶⁴, after which nothing could replace it.
pub const SERIAL_JUMP_MAX: u64 = u32::MAX as u64;

/// The file in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Its serial.
    pub serial: u64,
    /// The digest of its exact bytes.
    pub digest: Digest,
}

/// A file that is offered, with what was found out about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Its serial and digest.
    pub version: Version,
    /// Not to be activated after this.
    pub expires: Option<Timestamp>,
    /// Every signature on it verified, and those who must sign did.
    pub signature_ok: bool,
    /// How many different persons signed.
    pub signers: u32,
    /// It compiled, together with the other files.
    pub lint_ok: bool,
    /// The tests that it carries passed.
    pub tests_ok: bool,
    /// The new files together permit something that those in force deny, or nobody can tell.
    pub widens: bool,
}

/// What to do with a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub enum Acceptance {
    /// Put it in force.
    Accept,
    /// It is the file in force.
    Unchanged,
    /// Not signed as it must be.
    Signature,
    /// Older than the file in force: an old signed policy is still an attack.
    Rollback,
    /// Another content under the serial in force: the signers contradict themselves. An alarm.
    Equivocation,
    /// Its serial rises by more than [`SERIAL_JUMP_MAX`].
    Jump,
    /// Its time is over.
    Expired,
    /// It does not compile.
    Lint,
    /// Its own tests fail.
    Tests,
    /// It widens and needs [`SIGNERS_TO_WIDEN`] signers.
    SecondSignature,
}

impl Acceptance {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Accept => "ACCEPT",
            Self::Unchanged => "UNCHANGED",
            Self::Signature => "SIGNATURE",
            Self::Rollback => "ROLLBACK",
            Self::Equivocation => "EQUIVOCATION",
            Self::Jump => "JUMP",
            Self::Expired => "EXPIRED",
            Self::Lint => "LINT",
            Self::Tests => "TESTS",
            Self::SecondSignature => "SECOND_SIGNATURE",
        }
    }
}

impl fmt::Display for Acceptance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// Decides on a candidate, where a relay has files in force. Whatever is not accepted leaves these as they
/// are.
///
/// The signature comes first, so that nobody else can raise the other alarms. `current` is the version of the
/// file with this [id](crate::FileId) that was in force last, even if it was taken out since.
pub fn accept(now: Timestamp, current: Option<Version>, candidate: &Candidate) -> Acceptance {
    if !candidate.signature_ok || candidate.signers == 0 {
        return Acceptance::Signature;
    }
    if let Some(current) = current {
        if candidate.version.serial < current.serial {
            return Acceptance::Rollback;
        }
        if candidate.version.serial == current.serial {
            return if candidate.version.digest == current.digest {
                Acceptance::Unchanged
            } else {
                Acceptance::Equivocation
            };
        }
    }
    let raised = current.map(|current| candidate.version.serial - current.serial);
    if raised.is_some_and(|by| by > SERIAL_JUMP_MAX) {
        return Acceptance::Jump;
    }
    if candidate.expires.is_some_and(|expires| now > expires) {
        return Acceptance::Expired;
    }
    if !candidate.lint_ok {
        return Acceptance::Lint;
    }
    if !candidate.tests_ok {
        return Acceptance::Tests;
    }
    if candidate.widens && candidate.signers < SIGNERS_TO_WIDEN {
        return Acceptance::SecondSignature;
    }
    Acceptance::Accept
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1000);

    fn version(serial: u64, digest: u8) -> Version {
        Version { serial, digest: Digest([digest; 32]) }
    }

    fn good() -> Candidate {
        Candidate {
            version: version(43, 1),
            expires: Some(NOW),
            signature_ok: true,
            signers: 1,
            lint_ok: true,
            tests_ok: true,
            widens: false,
        }
    }

    fn judge(candidate: Candidate) -> Acceptance {
        accept(NOW, Some(version(42, 0)), &candidate)
    }

    #[test]
    fn each_defect_keeps_the_file_in_force() {
        let past = Some(Timestamp::from_millis(999));
        assert_eq!(judge(good()), Acceptance::Accept);
        assert_eq!(accept(NOW, None, &good()), Acceptance::Accept);
        for (candidate, expected) in [
            (Candidate { version: version(41, 1), ..good() }, Acceptance::Rollback),
            (Candidate { version: version(42, 1), ..good() }, Acceptance::Equivocation),
            (Candidate { version: version(42, 0), ..good() }, Acceptance::Unchanged),
            (Candidate { signature_ok: false, ..good() }, Acceptance::Signature),
            (Candidate { signers: 0, ..good() }, Acceptance::Signature),
            (Candidate { version: version(42 + SERIAL_JUMP_MAX, 1), ..good() }, Acceptance::Accept),
            (Candidate { version: version(43 + SERIAL_JUMP_MAX, 1), ..good() }, Acceptance::Jump),
            (Candidate { version: version(u64::MAX, 1), ..good() }, Acceptance::Jump),
            (Candidate { expires: past, ..good() }, Acceptance::Expired),
            (Candidate { lint_ok: false, ..good() }, Acceptance::Lint),
            (Candidate { tests_ok: false, ..good() }, Acceptance::Tests),
            (Candidate { widens: true, ..good() }, Acceptance::SecondSignature),
            (Candidate { widens: true, signers: 2, ..good() }, Acceptance::Accept),
        ] {
            assert_eq!(judge(candidate), expected, "{candidate:?}");
        }
    }

    #[test]
    fn a_stranger_cannot_raise_the_alarms() {
        let forged = Candidate { version: version(42, 9), signature_ok: false, ..good() };
        assert_eq!(judge(forged), Acceptance::Signature);
    }
}
