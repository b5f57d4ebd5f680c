//! Dialling the own relay.

use std::net::SocketAddr;

use kuriiri_transport::{Conversation, Endpoint, Expect, Link};
use kuriiri_types::Ministry;
use kuriiri_wire::client::{Reply, Request};
use tokio::net::lookup_host;

use crate::{
    error::{CallError, ConnectError},
    link::Line,
};

/// Dials the relay of a profile.
#[derive(Debug)]
pub(crate) struct Dialler {
    pub(crate) endpoint: Endpoint,
    /// `host:port`; looked up anew at every dial.
    pub(crate) relay: String,
    pub(crate) ministry: Ministry,
}

impl Dialler {
    /// A link that the relay has accepted. All its addresses are tried, once.
    pub(crate) async fn dial(&self, generation: u64) -> Result<Line, ConnectError> {
        let unresolved = |source| ConnectError::Resolve { relay: self.relay.clone(), source };
        let addresses = lookup_host(&self.relay).await.map_err(|e| unresolved(Some(e)))?;
        let mut failure = unresolved(None);
        for address in addresses {
            match self.dial_one(address, generation).await {
                Ok(line) => return Ok(line),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn dial_one(&self, address: SocketAddr, generation: u64) -> Result<Line, ConnectError> {
        let expect = Expect::Relay(self.ministry.clone());
        let link = self
            .endpoint
            .dial(address, expect, Conversation::Client)
            .await
            .map_err(|source| ConnectError::Dial { relay: self.relay.clone(), source })?;
        self.greet(link, generation).await
    }

    /// Until the relay has answered something, it has not judged our certificate.
    async fn greet(&self, link: Link, generation: u64) -> Result<Line, ConnectError> {
        let line = Line::new(link, generation);
        let error = match line.call(&Request::Status).await {
            Ok(Reply::Status(_)) => return Ok(line),
            Ok(Reply::Refused(refusal)) => CallError::Refused(refusal),
            Ok(Reply::Submission(_) | Reply::Answer(_)) => CallError::Misfit,
            Err(error) => error,
        };
        Err(match line.close_reason() {
            Some(closed) => ConnectError::Ended(closed),
            None => ConnectError::Greeting(Box::new(error)),
        })
    }
}
