//! How long a `send` waits, and what it says while it does.

use std::{future::pending, pin::pin, time::Duration};

use kuriiri_client::Client;
use kuriiri_types::Code;
use tokio::time::{Instant, interval_at, sleep_until, timeout_at};

use crate::{exit::Failure, output::Output};

/// Between two words on a relay that is away.
const WORD: Duration = Duration::from_secs(5);
/// For the farewell to a relay when the time is over.
const FAREWELL: Duration = Duration::from_secs(1);

/// Until when a command waits; for ever unless told otherwise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience(Option<Instant>);

impl Patience {
    pub(super) fn of(span: Option<Duration>) -> Self {
        Self(span.and_then(|span| Instant::now().checked_add(span)))
    }

    /// Waits until it is over.
    pub(super) async fn over(self) {
        match self.0 {
            Some(at) => sleep_until(at).await,
            None => pending().await,
        }
    }

    /// What comes in time.
    pub(super) async fn within<T>(self, wanted: impl Future<Output = T>) -> Option<T> {
        match self.0 {
            Some(at) => timeout_at(at, wanted).await.ok(),
            None => Some(wanted.await),
        }
    }

    /// The same of a first link: without it nothing was sent.
    pub(super) async fn connected(
        self,
        connecting: impl Future<Output = Result<Client, Failure>>,
    ) -> Result<Client, Failure> {
        let late = || {
            let what = "no link to the relay could be made in the time given; nothing was sent";
            Failure::new(Code::UNREACHABLE, anyhow::Error::msg(what))
        };
        self.within(connecting).await.unwrap_or_else(|| Err(late()))
    }

    /// Ends a client: in order while there is time, and in short when it is over.
    pub(super) async fn close(self, client: Client) {
        match self.0 {
            None => client.close().await,
            Some(at) => {
                let soon = Instant::now() + FAREWELL;
                // Whatever did not go by then is lost, and was told to be in doubt.
                let _ = timeout_at(at.max(soon), client.close()).await;
            }
        }
    }
}

/// Waits, and tells now and then that no link to the relay stands, if none does.
pub(super) async fn with_words<T>(
    client: &Client,
    output: Output,
    wanted: impl Future<Output = T>,
) -> T {
    let mut wanted = pin!(wanted);
    let begin = Instant::now();
    let mut words = interval_at(begin + WORD, WORD);
    loop {
        tokio::select! {
            come = &mut wanted => return come,
            _ = words.tick() => {}
        }
        if let Some(trouble) = client.trouble() {
            let seconds = begin.elapsed().as_secs();
            output.note(&format!(
                "waiting for the relay, {seconds} s so far: {:#}",
                anyhow::Error::from(trouble)
            ));
        }
    }
}
