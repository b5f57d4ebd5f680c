//! How long there is a link: it is made anew whenever it ends, until the relay is bidden farewell.

use std::{sync::Arc, time::Duration};

use kuriiri_transport::CloseCode;
use kuriiri_types::limits::RETRY_GRACE;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use uuid::Uuid;

use crate::{
    dial::Dialler,
    error::ConnectError,
    limits::{FAREWELL, RECONNECT_WAIT_MAX},
    link::{Line, Standing, announce},
};

/// Says farewell to the relay. Nobody gets a link any more.
pub(crate) async fn farewell(dialler: &Dialler, standing: &watch::Sender<Standing>) {
    let line = standing.borrow().line();
    announce(standing, Standing::Ended);
    if let Ok(line) = line {
        line.give_up(CloseCode::Done, "");
    }
    dialler.endpoint.shut_down(FAREWELL).await;
}

/// Makes the link anew whenever it ends.
pub(crate) async fn redial(
    dialler: Arc<Dialler>,
    mut line: Line,
    standing: Arc<watch::Sender<Standing>>,
) {
    let mut wait = Wait::new();
    loop {
        let since = Instant::now();
        let closed = line.closed().await;
        tracing::warn!(error = %closed, "the link to the relay has ended");
        // A link that ends as soon as it is made counts as a try that failed.
        if since.elapsed() >= RECONNECT_WAIT_MAX {
            wait = Wait::new();
        }
        let generation = line.generation().saturating_add(1);
        announce(&standing, Standing::Down(Arc::new(ConnectError::Ended(closed))));
        line = loop {
            sleep(wait.next()).await;
            match dialler.dial(generation).await {
                Ok(line) => break line,
                Err(error) => {
                    tracing::warn!(%error, code = %error.code(), "the relay was not reached");
                    announce(&standing, Standing::Down(Arc::new(error)));
                }
            }
        };
        tracing::info!("the link to the relay stands again");
        announce(&standing, Standing::Up(line.clone()));
    }
}

/// How long to wait between tries: short at first, longer each time, never in step with others.
#[derive(Debug)]
struct Wait(Duration);

impl Wait {
    fn new() -> Self {
        Self(RETRY_GRACE)
    }

    fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = wait.saturating_mul(2).min(RECONNECT_WAIT_MAX);
        let [.., random] = *Uuid::now_v7().as_bytes();
        // Between a half and one and a half.
        (wait / 2).saturating_add(wait / 256 * u32::from(random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound_and_differ() {
        let mut wait = Wait::new();
        let first = wait.next();
        assert!(first >= RETRY_GRACE / 2 && first < RETRY_GRACE * 2, "{first:?}");
        let waits: Vec<_> = (0..100).map(|_| wait.next()).collect();
        assert!(waits.iter().all(|wait| *wait <= RECONNECT_WAIT_MAX * 3 / 2), "{waits:?}");
        assert!(waits.iter().skip(10).all(|wait| *wait >= RECONNECT_WAIT_MAX / 2), "{waits:?}");
        assert!(waits.iter().skip(10).any(|wait| *wait != waits[10]), "all in step");
    }
}
