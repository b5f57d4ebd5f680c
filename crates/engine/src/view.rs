//! What the engine may look up: the state as of the last commit, and the encoding it is not to know.

use bytes::Bytes;
use kuriiri_types::{Lane, Ministry, Timestamp};

use crate::record::{
    ChannelEnd, Done, Hold, HoldNumber, LogHead, Pack, PackKey, QueueId, SeenLog, SeenRun, Seq,
};

/// The committed state, read by the engine between two commits.
///
/// Reads see exactly what was committed, in the order of keys.
pub trait View {
    /// How often the relay has started on this state; 0 on a new one.
    fn starts(&self) -> Result<u64, ViewError>;

    /// Every lane of every queue that holds a pack, with the first and the last pack's first
    /// sequence number.
    fn lanes(&self) -> Result<Vec<LaneSpan>, ViewError>;

    /// Packs of a lane whose first number is `from` or higher, in order, until `bytes_max` is
    /// passed; at least one if there is one. Each with what is done of it.
    fn packs(
        &self,
        queue: &QueueId,
        lane: Lane,
        from: Seq,
        bytes_max: usize,
    ) -> Result<Vec<(Seq, Pack, Done)>, ViewError>;

    /// One pack, if it is there, with what is done of it.
    fn pack(&self, key: &PackKey) -> Result<Option<(Pack, Done)>, ViewError>;

    /// Notes of expiry at or before a time, earliest first, at most `limit`.
    fn due(&self, through: Timestamp, limit: usize)
    -> Result<Vec<(Timestamp, PackKey)>, ViewError>;

    /// The earliest note of expiry, if there is any.
    fn next_due(&self) -> Result<Option<Timestamp>, ViewError>;

    /// The first hold whose number is `from` or higher.
    fn next_hold(&self, from: HoldNumber) -> Result<Option<(HoldNumber, Hold)>, ViewError>;

    /// All runs of marks in one bucket.
    fn seen(&self, bucket: u64) -> Result<Vec<SeenRun>, ViewError>;

    /// How the log stands; empty on a new state.
    fn log_head(&self) -> Result<LogHead, ViewError>;

    /// Where each chain of messages with a peer ends, in the order of peers; none on a new log.
    fn channel_ends(&self) -> Result<Vec<ChannelEnd>, ViewError>;

    /// What was cosigned of the logs of peers.
    fn seen_logs(&self) -> Result<Vec<(Ministry, SeenLog)>, ViewError> {
        Ok(Vec::new())
    }

    /// The bytes of an entry of the log, if it has one at this place.
    fn log_entry(&self, index: u64) -> Result<Option<Bytes>, ViewError>;
}

/// A lane that holds something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneSpan {
    /// The queue.
    pub queue: QueueId,
    /// The lane.
    pub lane: Lane,
    /// First sequence number of the first pack.
    pub first: Seq,
    /// First sequence number of the last pack.
    pub last: Seq,
}

/// The state cannot be read. The relay must stop: to go on would be to guess.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the state cannot be read: {0}")]
pub struct ViewError(pub String);
