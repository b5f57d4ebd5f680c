//! The answer to one message of a batch.

use serde::{Deserialize, Serialize};

use crate::{Code, Timestamp};

/// What a relay says about one message that was handed to it, after its own commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Held durably; the giver may forget it. A repeat gets the time of the first.
    Accepted {
        /// When it was first accepted.
        at: Timestamp,
        /// True when it was here before.
        repeat: bool,
    },
    /// Will never be taken as it is.
    Refused(Refusal),
    /// Not now: a queue or the disk is full. Give it again later, in the same order.
    Busy,
    /// Not now, for a reason that may pass and that is about this item alone: those behind it may go. The code says
    /// which; whoever gave it keeps it and tries it again later.
    Later(Code),
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The stable number: all that a foreign peer learns. It is the exact one, for it stands in the receipt as well.
    pub code: Code,
    /// Every reason in words; only ever sent to the ministry's own systems.
    pub reasons: Vec<String>,
}

impl Refusal {
    /// A refusal with its code and no words.
    pub const fn bare(code: Code) -> Self {
        Self { code, reasons: Vec::new() }
    }

    /// The refusal as a foreign peer may see it: the reasons stay home.
    pub fn coarse(&self) -> Self {
        Self::bare(self.code)
    }
}

/// What would happen to a message if it were sent: the answer to asking first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It may go.
    Permit {
        /// The body must be sealed to the recipients' ministries.
        seal: bool,
        /// Largest body in bytes that may go.
        size_max: u64,
        /// How many releasing officers the message will wait for; 0 when it goes at once. They read
        /// it before they release it, so a sealed body is to be sealed to their key too.
        approvals: u32,
    },
    /// It may not go.
    Refuse(Refusal),
}
