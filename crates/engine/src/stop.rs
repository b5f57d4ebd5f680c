//! Where a message goes from here.

use kuriiri_types::{Address, Ministry, Timestamp};

use crate::record::QueueId;

/// One way on from here.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) dest: Ministry,
    pub(crate) expires: Timestamp,
    pub(crate) queue: QueueId,
    /// At most so many such messages may leave in an hour.
    pub(crate) rate: Option<u64>,
}

impl Stop {
    /// The mailbox of a recipient.
    pub(crate) fn mailbox(dest: &Ministry, expires: Timestamp, address: Address) -> Self {
        Self { dest: dest.clone(), expires, queue: QueueId::Mailbox(address), rate: None }
    }
}
