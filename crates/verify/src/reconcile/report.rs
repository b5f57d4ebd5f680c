//! What a comparison of two logs tells.

use std::collections::BTreeMap;

use kuriiri_types::Timestamp;
use serde::Serialize;

use crate::finding::Findings;

/// What a message comes to between two logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Row {
    /// Both say the same: it left, it is there at the receipt's place.
    Matched,
    /// It ended before it left, or the receiver refused it, and both know.
    Ended,
    /// It is there, and the receipt is on its way.
    ReceiptUnderWay,
    /// It left not long ago.
    InFlight,
    /// The other log, as it was given, ends before it could speak of it.
    BeyondOtherLog,
    /// Its receipt names an entry beyond the end of the other log, as it was given: not checked.
    ReceiptBeyondLog,
    /// The receiver has it, and the sender's log, as it was given, ends too early to say whether it
    /// was omitted: not checked.
    UnknownToSender,
    /// The receiver has it and not its header any more, and the log that it came from does not speak of
    /// it: who sent it cannot be told.
    HeaderGone,
    /// It left, its time is over, and the receiver's log, as it was given, ends too early to say what
    /// became of it: not checked.
    UnknownToReceiver,
    /// A receipt names an entry that is not there.
    MissingAtReceiver,
    /// It left, and its time is over.
    Stalled,
    /// The receiver has it with its sender's signature, and the log that it is said to have come from does
    /// not say that it left. One of the two logs is incomplete or false; no signature tells which.
    Unaccounted,
    /// The log of a side goes on from an earlier one, which may speak of it: not checked.
    BeforeLog,
    /// Its receipt is of another log of the same ministry than the one given: not checked.
    ReceiptInOtherLog,
    /// The receiver took it without its sender's signature.
    UnsignedExtra,
    /// Two messages of one id.
    ContentDiffers,
    /// Taken twice.
    Duplicate,
    /// One lets it go and the other refuses it.
    PolicyDivergence,
    /// It arrived late.
    Late,
    /// It overtook another in its lane.
    Reordered,
    /// A gap in a chain.
    ChainGap,
    /// Two histories.
    SplitView,
}

/// Minutes of the receiver's time in which messages went one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Minutes {
    /// In how many a log has entries about messages.
    pub compared: u64,
    /// In how many of those compared both have the same messages, by their entries.
    pub agreed: u64,
    /// How many both logs have sums of.
    pub with_heads: u64,
    /// In how many of these each has one, and the same, so that it needs no entry to be compared.
    pub agreed_by_heads: u64,
    /// How many of those compared had to be compared by their entries, because there are no sums,
    /// several, or others.
    pub by_entries: u64,
}

/// One of the two logs.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// Which log.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The times of the first entry and the last.
    pub period: Option<(Timestamp, Timestamp)>,
}

/// What a reconciliation came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ReconcileReport {
    /// The two logs.
    pub sides: Vec<Side>,
    /// Messages by row, one for each message and direction.
    pub rows: BTreeMap<Row, u64>,
    /// Minutes compared.
    pub minutes: Minutes,
    /// What was found.
    #[serde(skip)]
    pub findings: Findings,
}
