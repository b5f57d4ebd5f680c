//! The relay as a deterministic state machine.
//!
//! Events come in, one [`Step`] goes out: a [`Commit`] to be made durable, then actions to be
//! performed. The engine does no IO but reads of the committed state through a [`View`], has no
//! clock, no randomness of its own, no tasks and no locks, and does not know protobuf, sled or QUIC.
//! Start and recovery are one function, [`Engine::restore`].
//!
//! The path of a message through it: `admit` (checks, decision, room) → `queues` (custody) →
//! `outbound` or `mailbox` (decided again at each attempt) → `receipts` (what the sender is told).

mod action;
mod admit;
mod commit;
mod config;
mod engine;
mod event;
mod expiry;
mod held;
mod judge;
mod lane;
mod mailbox;
mod outbound;
mod queues;
mod receipts;
mod record;
mod retry;
mod seen;
mod view;
mod work;

pub use action::{Action, Delivery, Load, PeerState, Reply, Status, Waiting};
pub use commit::{BodyFile, Commit, Write};
pub use config::{Config, Random};
pub use engine::{Engine, Step};
pub use event::{
    Arrival, BatchId, Event, LinkId, Question, ReceiptMode, SubscriptionId, Ticket, Token,
};
pub use record::{
    Body, BodyRef, Certificate, Done, Item, Pack, PackKey, Parcel, QueueId, SeenMark, SeenRun, Seq,
};
pub use view::{Codec, LaneSpan, View, ViewError};

#[cfg(test)]
mod testing;
