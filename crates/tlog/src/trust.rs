//! Whom an auditor believes (C2SP `tlog-policy`): logs, witnesses, and how many of them.
//!
//! ```text
//! log relay.sm.example/log/2027+…
//! witness plm relay.plm.example/witness+…
//! witness um relay.um.example/witness+…
//! group ministries 2 plm um
//! quorum ministries
//! ```

use std::borrow::Cow;

use kuriiri_types::Ministry;

use crate::{
    Checkpoint, CheckpointError, KeyName, KeyTextError, Note, NoteError, VerifierKey, log_number,
    ministry_of,
};

/// What the name of the key of a ministry's witness ends with.
const WITNESS: &str = "/witness";

/// How many of `witnesses` must have cosigned, so that no log can show two histories as long as no
/// more than a third of them help it.
///
/// Two quorums of k among n have at least 2k − n witnesses in common, and each of these would have
/// to sign both histories. With k = 1 + ⌊2n/3⌋ these are more than a third of all. A mere majority
/// has one in common, who may be the dishonest one: with 2 of 3, one witness suffices for a fork.
pub const fn witnesses_needed(witnesses: usize) -> usize {
    // Twice the number cannot overflow before the division this way.
    1 + witnesses / 3 * 2 + witnesses % 3 * 2 / 3
}

/// A policy: whom to believe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    pub(crate) logs: Vec<Log>,
    pub(crate) witnesses: Vec<Witness>,
    pub(crate) groups: Vec<Group>,
    /// Nothing when no cosignature is required.
    pub(crate) quorum: Option<Member>,
}

/// A log that is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    pub(crate) key: VerifierKey,
    pub(crate) url: Option<Vec<u8>>,
}

/// A witness that is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    pub(crate) name: Vec<u8>,
    pub(crate) key: VerifierKey,
    pub(crate) url: Option<Vec<u8>>,
}

/// So many of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) name: Vec<u8>,
    pub(crate) needed: usize,
    pub(crate) members: Vec<Member>,
}

/// A witness or an earlier group, by its place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Member {
    Witness(usize),
    Group(usize),
}

/// Who cosigned, and whether that is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    /// Whether the policy is satisfied.
    pub met: bool,
    /// The witnesses of the policy that cosigned, in its order.
    pub by: Vec<Cosigned>,
}

/// That a witness cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// What the policy calls it.
    pub witness: String,
    /// The name of its key.
    pub key: KeyName,
    /// When it saw the checkpoint, in seconds since 1970, by its own clock.
    pub time: u64,
}

impl Trust {
    /// The logs that are believed.
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// The witnesses that are believed.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// The log of this origin. When it changed its key and both are listed, the one listed first.
    pub fn log(&self, origin: &str) -> Option<&Log> {
        self.logs.iter().find(|log| log.key.name().as_str() == origin)
    }

    /// The key of the log of this origin, if the policy vouches for it: by a line of its own, or as a
    /// later log of a ministry whose earlier one is listed. A ministry whose log was lost goes on with
    /// another of the next number and the same key.
    pub fn log_key(&self, origin: &str) -> Option<VerifierKey> {
        let listed = self.log(origin).map(|log| log.key.clone());
        listed.or_else(|| self.logs.iter().find_map(|log| later_key(&log.key, origin)))
    }

    /// The checkpoint in a note, if a log that is listed signed it, and who cosigned it. Whether
    /// these are enough is in the [`Quorum`]; it is for the caller to insist.
    ///
    /// # Errors
    /// When the note is not a readable checkpoint, the log of its origin is not listed or did not
    /// sign it, or any signature in the name of a known key is not genuine.
    pub fn checkpoint(&self, note: &[u8]) -> Result<(Checkpoint, Quorum), TrustError> {
        let note = Note::parse(note).map_err(CheckpointError::from)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        let mut is_signed = false;
        for log in &self.logs {
            let signed = note.verify(&log.key).map_err(CheckpointError::from)?;
            is_signed |= signed.is_some() && log.key.name().as_str() == checkpoint.origin;
            if let Some(later) = later_key(&log.key, &checkpoint.origin) {
                is_signed |= note.verify(&later).map_err(CheckpointError::from)?.is_some();
            }
        }
        if !is_signed {
            return Err(TrustError::UnknownLog(checkpoint.origin));
        }
        let quorum = self.quorum(&note).map_err(CheckpointError::from)?;
        Ok((checkpoint, quorum))
    }

    /// Who cosigned a note, and whether that is enough. The log's own signature is not looked at, and
    /// neither is a cosignature of its own ministry's witness: it is in the same hands.
    ///
    /// # Errors
    /// When a cosignature in the name of a known witness is not genuine.
    pub fn quorum(&self, note: &Note) -> Result<Quorum, NoteError> {
        let mut by = Vec::new();
        let mut has_cosigned = Vec::new();
        let owner = note.text().lines().next().and_then(ministry_of);
        for witness in &self.witnesses {
            let time = note.verify(&witness.key)?.and_then(|signed| signed.time);
            let time = time.filter(|_| owner.is_none() || witness.ministry() != owner);
            has_cosigned.push(time.is_some());
            by.extend(time.map(|time| Cosigned {
                witness: witness.name().into_owned(),
                key: witness.key.name().clone(),
                time,
            }));
        }
        Ok(Quorum { met: self.is_met(&has_cosigned), by })
    }

    fn is_met(&self, has_cosigned: &[bool]) -> bool {
        // A group has only earlier ones as members, so they are known when it comes.
        let mut is_met: Vec<bool> = Vec::with_capacity(self.groups.len());
        let counts = |member: &Member, is_met: &[bool]| match member {
            Member::Witness(at) => has_cosigned.get(*at).copied().unwrap_or(false),
            Member::Group(at) => is_met.get(*at).copied().unwrap_or(false),
        };
        for group in &self.groups {
            let count = group.members.iter().filter(|member| counts(member, &is_met)).count();
            is_met.push(count >= group.needed);
        }
        self.quorum.is_none_or(|member| counts(&member, &is_met))
    }

    /// What the policy calls a witness or a group.
    pub(crate) fn member_name(&self, member: Member) -> &[u8] {
        let name = match member {
            Member::Witness(at) => self.witnesses.get(at).map(|witness| &witness.name),
            Member::Group(at) => self.groups.get(at).map(|group| &group.name),
        };
        name.map_or(b"", Vec::as_slice)
    }
}

impl Log {
    /// Its key, whose name is the log's origin.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Where to ask it, if the policy says. Bytes that are not UTF-8 are shown as such.
    pub fn url(&self) -> Option<Cow<'_, str>> {
        self.url.as_deref().map(String::from_utf8_lossy)
    }
}

impl Witness {
    /// What the policy calls it. Bytes that are not UTF-8 are shown as such.
    pub fn name(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.name)
    }

    /// Its key.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// The ministry whose relay it is, by the name of its key (`ministry/witness`), if it is one.
    pub fn ministry(&self) -> Option<Ministry> {
        self.key.name().as_str().strip_suffix(WITNESS)?.parse().ok()
    }

    /// Where to ask it, if the policy says. Bytes that are not UTF-8 are shown as such.
    pub fn url(&self) -> Option<Cow<'_, str>> {
        self.url.as_deref().map(String::from_utf8_lossy)
    }
}

/// The key of a later log of the ministry whose log has this key.
fn later_key(key: &VerifierKey, origin: &str) -> Option<VerifierKey> {
    let listed = key.name().as_str();
    let is_later =
        ministry_of(origin)? == ministry_of(listed)? && log_number(origin)? > log_number(listed)?;
    let name = origin.parse().ok().filter(|_| is_later)?;
    Some(VerifierKey::new(name, key.kind(), *key.public_key()))
}

/// A policy file is not readable, or a checkpoint not acceptable by it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// A line that is wrong.
    #[error("line {line} of the policy: {fault}")]
    Line {
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: PolicyFault,
    },
    /// Larger than is read here.
    #[error("the policy has {0} bytes, more than any policy needs")]
    TooLarge(usize),
    /// The last line is not ended.
    #[error("the policy's last line does not end; perhaps the file was cut off")]
    Unended,
    /// No quorum line.
    #[error("the policy has no quorum line; without witnesses it is `quorum none`")]
    NoQuorum,
    /// Nobody to choose from, or more needed than there are.
    #[error("{needed} of {witnesses} witnesses cannot be required")]
    Needed {
        /// How many are to cosign.
        needed: usize,
        /// How many there are.
        witnesses: usize,
    },
    /// The checkpoint of a log that is not listed, or not signed by it.
    #[error("no log that the policy lists signed the checkpoint of {0}")]
    UnknownLog(String),
    /// The checkpoint is wrong.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// What is wrong with a line of a policy file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// A control character.
    #[error("it has a control character other than the tab in it")]
    Control,
    /// Neither log, witness, group nor quorum.
    #[error("it begins with none of `log`, `witness`, `group`, `quorum`")]
    Keyword,
    /// Too few or too many words.
    #[error("it should be: {0}")]
    Words(&'static str),
    /// The key is wrong.
    #[error(transparent)]
    Key(#[from] KeyTextError),
    /// The key stands in an earlier line.
    #[error("the same key stands in an earlier line")]
    SameKey,
    /// The name is taken.
    #[error("the name `{0}` is already taken")]
    SameName(String),
    /// The name is not defined above.
    #[error("no earlier line defines `{0}`")]
    Undefined(String),
    /// The name is in a group already.
    #[error("`{0}` is already a member of a group")]
    TwiceMember(String),
    /// Not a number between one and the number of members.
    #[error("`{0}` is not `all`, `any`, or a number from 1 to that of the members")]
    Threshold(String),
    /// A second quorum line.
    #[error("there is a quorum line already")]
    SecondQuorum,
    /// More of the kind than are read here.
    #[error("there are more than {0} of these")]
    TooMany(usize),
}

#[cfg(test)]
mod tests;
