//! Checks that take processors: nobody gets more of them than a share, and long ones do not hold up the tasks
//! that carry bytes.

use std::sync::Arc;

use kuriiri_types::limits::CHECKED_IN_PLACE_MAX;
use tokio::task::spawn_blocking;

use crate::{checks::Checks, error::LinkError, shared::Shared};

/// Checks what a giver sent, in which there are so many signatures, when it is its turn.
pub(crate) async fn check<T: Send + 'static>(
    shared: &Arc<Shared>,
    giver: &str,
    signatures: usize,
    all: impl FnOnce(&Checks) -> T + Send + 'static,
) -> Result<T, LinkError> {
    let turn = shared.checking.turn(giver).await;
    if signatures <= CHECKED_IN_PLACE_MAX {
        return Ok(all(&shared.checks));
    }
    let shared = Arc::clone(shared);
    // The thread goes on when nobody waits for it any more, and so it keeps the turn.
    let checked = spawn_blocking(move || {
        let _turn = turn;
        all(&shared.checks)
    });
    let checked = checked.await;
    checked.map_err(|error| LinkError::Task(error.to_string()))
}
