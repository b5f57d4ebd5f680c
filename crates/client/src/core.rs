//! What all parts of a client share.

use std::sync::Arc;

use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
};

use crate::{
    limits::CONFIRMATIONS_AWAITED, link::Standing, queue::Queues, system::System, terms::KnownTerms,
};

/// Shared by every task and handle of a client.
pub(crate) struct Core {
    pub(crate) system: System,
    pub(crate) standing: Arc<watch::Sender<Standing>>,
    pub(crate) terms: KnownTerms,
    pub(crate) queues: Queues,
    /// Confirmations under way each hold one place, so that whoever closes can wait for them.
    pub(crate) confirmations: Arc<Semaphore>,
    pub(crate) runtime: Handle,
}

impl Core {
    /// Nothing is under way yet. It belongs to the runtime in which it is made.
    pub(crate) fn new(system: System, standing: Standing) -> Self {
        let confirmations = usize::try_from(CONFIRMATIONS_AWAITED).unwrap_or(0);
        Self {
            system,
            standing: Arc::new(watch::Sender::new(standing)),
            terms: KnownTerms::default(),
            queues: Queues::default(),
            confirmations: Arc::new(Semaphore::new(confirmations)),
            runtime: Handle::current(),
        }
    }
}
