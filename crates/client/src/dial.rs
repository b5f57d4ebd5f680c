//! Dialling the own relay.

use std::{net::SocketAddr, sync::Arc};

use kuriiri_transport::{Conversation, Endpoint, Expect, Link, Settings};
use kuriiri_types::Ministry;
use kuriiri_wire::{
    Frame,
    admin::{AdminReply, AdminRequest},
    client::{Reply, Request},
};
use tokio::net::lookup_host;

use crate::{
    error::{CallError, ConnectError},
    link::Line,
    profile::party::Party,
};

/// Dials the relay of a profile.
#[derive(Debug)]
pub(crate) struct Dialler {
    pub(crate) endpoint: Endpoint,
    /// `host:port`; looked up anew at every dial.
    relay: String,
    ministry: Ministry,
    caller: Caller,
}

/// Who dials.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Caller {
    /// A system.
    System,
    /// An officer or operator.
    Person,
}

impl Dialler {
    /// Nothing is dialled yet.
    pub(crate) fn new(party: &Party, caller: Caller) -> Result<Arc<Self>, ConnectError> {
        let settings = Settings::new(party.identity.clone(), party.trust.clone());
        Ok(Arc::new(Self {
            endpoint: Endpoint::dialler(settings).map_err(ConnectError::Bind)?,
            relay: party.relay.clone(),
            ministry: party.id.ministry().clone(),
            caller,
        }))
    }

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
            .dial(address, expect, self.caller.conversation())
            .await
            .map_err(|source| ConnectError::Dial { relay: self.relay.clone(), source })?;
        self.greet(link, generation).await
    }

    /// Until the relay has answered something, it has not judged our certificate.
    async fn greet(&self, link: Link, generation: u64) -> Result<Line, ConnectError> {
        let line = Line::new(link, generation);
        let Err(error) = self.caller.greet(&line).await else { return Ok(line) };
        Err(match line.close_reason() {
            Some(closed) => ConnectError::Ended(closed),
            None => ConnectError::Greeting(Box::new(error)),
        })
    }
}

impl Caller {
    fn conversation(self) -> Conversation {
        match self {
            Self::System => Conversation::Client,
            Self::Person => Conversation::Admin,
        }
    }

    /// Asks for something small that every caller of its kind may have.
    async fn greet(self, line: &Line) -> Result<(), CallError> {
        match self {
            Self::System => match line.call(&Request::Status).await? {
                Reply::Status(_) => Ok(()),
                Reply::Refused(refusal) => Err(CallError::Refused(refusal)),
                Reply::Submission(_) | Reply::Answer(_) | Reply::Proofs(_) => {
                    Err(CallError::Misfit)
                }
            },
            Self::Person => {
                let none = AdminRequest::Decisions { limit: 0 };
                match line.call_encoded(none.encode(), 0).await? {
                    // A person who may not even ask that has been let in all the same, and is told
                    // why when asking for something.
                    AdminReply::Decisions(_) | AdminReply::Refused(_) => Ok(()),
                    AdminReply::Holds(_)
                    | AdminReply::Held(_)
                    | AdminReply::Approved(_)
                    | AdminReply::Active(_)
                    | AdminReply::Activation(_)
                    | AdminReply::Erased { .. }
                    | AdminReply::ExportNoted
                    | AdminReply::Aside(_)
                    | AdminReply::AsideActed { .. }
                    | AdminReply::Budgets(_)
                    | AdminReply::Lapses(_)
                    | AdminReply::Pruned { .. } => Err(CallError::Misfit),
                }
            }
        }
    }
}
