//! Who shares places and room.

use kuriiri_types::{Ministry, SpiffeId};

use crate::Conversation;

/// Who shares places and room with each other: one relay of a ministry is as good as another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// The relays of a ministry.
    Relays(Ministry),
    /// A system, an officer or an operator.
    One(SpiffeId),
}

impl Holder {
    pub(crate) fn of(id: &SpiffeId, conversation: Conversation) -> Self {
        match conversation {
            Conversation::Relay => Self::Relays(id.ministry().clone()),
            Conversation::Client | Conversation::Admin => Self::One(id.clone()),
        }
    }
}
