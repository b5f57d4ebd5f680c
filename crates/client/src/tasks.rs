//! What runs for as long as a handle of a client is there.

use std::sync::{Arc, Mutex, PoisonError};

use kuriiri_types::Precedence;
use tokio::task::JoinSet;

use crate::{
    core::Core,
    dial::Dialler,
    lane::Lane,
    link::Line,
    redial::{farewell, redial},
};

/// The tasks that keep the link and send. When the last handle drops them, all ends at once.
pub(crate) struct Tasks {
    dialler: Arc<Dialler>,
    running: Mutex<JoinSet<()>>,
}

impl Tasks {
    /// Keeps a link that stands, and sends over it what is put into the queues.
    pub(crate) fn start(core: &Arc<Core>, dialler: Arc<Dialler>, line: Line) -> Self {
        let mut running = JoinSet::new();
        running.spawn(redial(Arc::clone(&dialler), line, Arc::clone(&core.standing)));
        for precedence in Precedence::ALL {
            running.spawn(Lane::new(Arc::clone(core), precedence).run());
        }
        Self { dialler, running: Mutex::new(running) }
    }

    /// Ends what runs, and says farewell to the relay.
    pub(crate) async fn end(&self, core: &Core) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        farewell(&self.dialler, &core.standing).await;
    }
}
