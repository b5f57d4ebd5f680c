//! The durable change set of one step, as a value.

use bytes::Bytes;
use kuriiri_types::{Digest, Ministry, Timestamp};

use crate::record::{
    BodyRef, Certificate, ChannelEnd, Done, Hold, HoldNumber, LogHead, Pack, PackKey, SeenLog,
    SeenRun,
};

/// Everything that one step wants to be durable, all of it or nothing.
///
/// The order in it has no meaning but this: a later write to the same record wins. It is a plain
/// value so that the same commit can one day go to a replicated stream; nothing may go round it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Commit {
    /// Changes of records.
    pub writes: Vec<Write>,
    /// Bodies too large for a pack, to be synced in one new file before the writes refer to it.
    pub bodies: Option<BodyFile>,
    /// One entry for each more reference to a body file that was written before.
    pub retained: Vec<BodyRef>,
    /// One entry for each reference to a body file that went with a finished item.
    pub released: Vec<BodyRef>,
    /// Bodies in body files whose bytes are to be overwritten once the commit is durable: nothing that
    /// is still to be delivered refers to them.
    pub erased: Vec<BodyRef>,
    /// What the log grows by.
    pub log: Option<LogAppend>,
    /// Headers leave whose time, by their entry, is not after this one; the entry that says so is among
    /// what the log grows by.
    pub pruned: Option<Timestamp>,
    /// Headers that are erased beside the log, by their leaf hashes.
    pub erased_headers: Vec<Digest>,
}

/// New entries of the log, and how it stands with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogAppend {
    /// The place of the first.
    pub first: u64,
    /// The entries' bytes.
    pub entries: Vec<Bytes>,
    /// The headers beside entries that name messages for the first time: the entry's place, and the
    /// headers in the order of its messages. Each list fits one stored value.
    pub headers: Vec<(u64, Vec<Bytes>)>,
    /// Their leaf hashes.
    pub leaves: Vec<Digest>,
    /// Where the chains end that they are links of; all other chains end where they did. Each once.
    pub channels: Vec<ChannelEnd>,
    /// The log after them.
    pub head: LogHead,
    /// The signed checkpoint of the log after them. Nobody may see it before they are durable.
    pub checkpoint: Bytes,
    /// False when nothing happened but that the logs of others were witnessed.
    pub news: bool,
}

/// A new file of bodies, one after the other from offset 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyFile {
    /// The file's number; never reused.
    pub file: u64,
    /// Salt and body of each.
    pub bodies: Vec<Bytes>,
    /// How many references the writes of this commit make into the file.
    pub references: u32,
}

/// One change of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Adds a pack.
    PutPack(PackKey, Pack),
    /// Removes a pack and its mark of what is done, if it has one.
    DeletePack(PackKey),
    /// Notes which items of a pack are finished.
    PutDone(PackKey, Done),
    /// Notes when the first item of a pack expires.
    PutDue(Timestamp, PackKey),
    /// Removes such a note.
    DeleteDue(Timestamp, PackKey),
    /// Adds a run of marks to the bucket of that number.
    PutSeen {
        /// Time of the ids divided by the bucket's width.
        bucket: u64,
        /// Number of the run; never reused.
        run: u64,
        /// The marks.
        marks: SeenRun,
    },
    /// Forgets every run in buckets before this one.
    ForgetSeen {
        /// The first bucket to keep.
        before: u64,
    },
    /// Adds a hold, or writes it anew.
    PutHold(HoldNumber, Hold),
    /// Removes a hold.
    DeleteHold(HoldNumber),
    /// Keeps a certificate.
    PutCertificate(Certificate),
    /// Remembers what was cosigned of a peer's log.
    PutSeenLog(Ministry, SeenLog),
    /// Counts a start of the relay.
    PutStart(u64),
}

impl Commit {
    /// True when there is nothing to make durable.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
            && self.bodies.is_none()
            && self.retained.is_empty()
            && self.released.is_empty()
            && self.log.is_none()
            && self.pruned.is_none()
            && self.erased_headers.is_empty()
    }
}
