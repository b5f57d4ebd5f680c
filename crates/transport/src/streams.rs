//! The streams of a link, whichever side opens them.

use quinn::{ConnectionError, RecvStream, SendStream};

use crate::{Link, LinkClosed, Receiver, Sender};

impl Link {
    /// Opens a stream. The peer learns of it with the first frame. Waits while as many are open as
    /// the peer allows.
    ///
    /// # Errors
    /// When the link is closed.
    pub async fn open(&self) -> Result<(Sender, Receiver), LinkClosed> {
        let opened = self.connection().open_bi().await;
        self.streams(opened)
    }

    /// Waits for the next stream that the peer opens.
    ///
    /// # Errors
    /// When the link is closed.
    pub async fn accept(&self) -> Result<(Sender, Receiver), LinkClosed> {
        let accepted = self.connection().accept_bi().await;
        self.streams(accepted)
    }

    fn streams(
        &self,
        pair: Result<(SendStream, RecvStream), ConnectionError>,
    ) -> Result<(Sender, Receiver), LinkClosed> {
        let (send, receive) = pair.map_err(|error| self.sort(error))?;
        let sender = Sender::new(send, self.clone());
        Ok((sender, Receiver::new(receive, self.clone())))
    }
}
