//! A message as it waits to be sent, or is under way.

use kuriiri_types::BatchProof;
use tokio::sync::OwnedSemaphorePermit;

use crate::{compose::Composed, queue::Answer};

/// A message with its signature. It is sent with these very bytes until it is answered.
#[derive(Debug)]
pub(crate) struct Signed {
    pub(crate) message: Composed,
    pub(crate) proof: BatchProof,
    pub(crate) answer: Answer,
    /// Its room in the queue, given back with it.
    pub(crate) _room: OwnedSemaphorePermit,
}
