//! The one link to the own relay: whether it stands, and how requests go over it.

use std::{pin::pin, sync::Arc};

use bytes::Bytes;
use kuriiri_transport::{CloseCode, Link, LinkClosed, Receiver, Sender, StreamError};
use kuriiri_wire::{
    Frame,
    client::{Reply, Request},
};
use tokio::{sync::watch, time::timeout};

use crate::{
    error::{CallError, ConnectError},
    limits::ANSWER_TIMEOUT,
};

/// Whether a link stands.
#[derive(Debug, Clone)]
pub(crate) enum Standing {
    Up(Line),
    Down(Arc<ConnectError>),
    /// The client was closed.
    Ended,
}

impl Standing {
    /// The link, if it stands now.
    pub(crate) fn line(&self) -> Result<Line, CallError> {
        match self {
            Self::Up(line) => Ok(line.clone()),
            Self::Down(error) => Err(CallError::NotConnected(Arc::clone(error))),
            Self::Ended => Err(CallError::Closed),
        }
    }
}

/// A link while it stands. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    link: Link,
    generation: u64,
}

impl Line {
    pub(crate) fn new(link: Link, generation: u64) -> Self {
        Self { link, generation }
    }

    /// Rises by one with every link of a client.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// How the link ended, if it has.
    pub(crate) fn close_reason(&self) -> Option<LinkClosed> {
        self.link.close_reason()
    }

    pub(crate) async fn closed(&self) -> LinkClosed {
        self.link.closed().await
    }

    /// Gives the link up, so that it is made anew.
    pub(crate) fn give_up(&self, code: CloseCode, reason: &str) {
        self.link.close(code, reason);
    }

    /// Opens a stream with a request. Nothing more is said on it unless by the caller.
    pub(crate) async fn open(
        &self,
        request: Bytes,
        priority: i32,
    ) -> Result<(Sender, Receiver), StreamError> {
        let (mut sender, receiver) = self.link.open().await.map_err(StreamError::Link)?;
        sender.set_priority(priority);
        sender.send(request).await?;
        Ok((sender, receiver))
    }

    /// A system asks for something that has one answer.
    pub(crate) async fn call(&self, request: &Request) -> Result<Reply, CallError> {
        self.call_encoded(request.encode(), 0).await
    }

    /// Sends a request, and reads the one frame that answers it.
    pub(crate) async fn call_encoded<R: Frame>(
        &self,
        request: Bytes,
        priority: i32,
    ) -> Result<R, CallError> {
        let (mut sender, mut receiver) =
            self.open(request, priority).await.map_err(CallError::Stream)?;
        sender.finish().map_err(CallError::Stream)?;
        let mut answer = pin!(receiver.frame(R::BYTES_MAX));
        // The relay's time begins when it has the whole request, however slow the way there.
        let frame = tokio::select! {
            frame = &mut answer => frame,
            _ = sender.stopped() => {
                timeout(ANSWER_TIMEOUT, answer).await.map_err(|_| CallError::Silent)?
            }
        };
        let frame = frame.map_err(CallError::Stream)?.ok_or(CallError::Misfit)?;
        R::decode(frame).map_err(CallError::Wire)
    }
}

/// The next link that stands, after the one of a generation if one is given. Waits as long as it
/// takes; nothing when the client was closed.
pub(crate) async fn next_line(
    standing: &mut watch::Receiver<Standing>,
    after: Option<u64>,
) -> Option<Line> {
    let wanted = |standing: &Standing| match standing {
        Standing::Up(line) => after.is_none_or(|after| line.generation > after),
        Standing::Down(_) => false,
        Standing::Ended => true,
    };
    match &*standing.wait_for(wanted).await.ok()? {
        Standing::Up(line) => Some(line.clone()),
        Standing::Down(_) | Standing::Ended => None,
    }
}

/// Tells everybody how it stands. The end is final.
pub(crate) fn announce(standing: &watch::Sender<Standing>, new: Standing) {
    standing.send_if_modified(|standing| {
        let goes_on = !matches!(standing, Standing::Ended);
        if goes_on {
            *standing = new;
        }
        goes_on
    });
}
