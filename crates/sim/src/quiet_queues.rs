//! Which queues of a relay are quiet: nothing is under way from them.

use std::collections::BTreeSet;

use kuriiri_engine::QueueId;
use kuriiri_types::Ministry;

/// Which of a relay's queues were quiet when the rules changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum QuietQueues {
    /// All.
    All,
    /// The outboxes but these: something may be under way from them.
    OutboxesBut(BTreeSet<Ministry>),
}

impl QuietQueues {
    /// Whether this queue is among them.
    pub(crate) fn has_queue(&self, queue: &QueueId) -> bool {
        match (self, queue) {
            (Self::All, _) => true,
            (Self::OutboxesBut(busy), QueueId::Outbox(peer)) => !busy.contains(peer),
            (Self::OutboxesBut(_), QueueId::OutboxAside(_) | QueueId::MailboxAside(_)) => true,
            (Self::OutboxesBut(_), QueueId::Mailbox(_) | QueueId::Receipts(_)) => false,
        }
    }
}
