//! The relay as a deterministic state machine.
//!
//! Events come in, one [`Step`] goes out: a [`Commit`] to be made durable, then actions to be
//! performed. The engine does no IO but reads of the committed state through a [`View`], has no
//! clock, no randomness of its own, no tasks and no locks, and does not know protobuf, sled or QUIC.
//! Start and recovery are one function, [`Engine::restore`].
//!
//! The path of a message through it: `admit` (checks, decision, room) → `queues` (custody) →
//! `outbound` or `mailbox` (decided again at each attempt) → `receipts` (what the sender is told).
//! What must be released by people, or may not leave at this hour, waits in `holds`; `officers` act
//! on it; and when the rules change, `review` decides again on all that waits.

mod action;
mod admit;
mod classes;
mod commit;
mod config;
mod decided;
mod engine;
mod erase;
mod event;
mod expiry;
mod heads;
mod held;
mod holds;
mod judge;
mod lane;
mod log;
mod mailbox;
mod officers;
mod outbound;
mod queues;
mod rates;
mod readers;
mod receipts;
mod record;
mod retention;
mod retry;
mod review;
mod room;
mod ruled;
mod seen;
mod statements;
mod upkeep;
mod view;
mod witness;
mod work;

pub use action::{
    Action, Delivery, HoldState, Load, PeerState, ReceiptOut, Reply, Resolution, Status, Unproved,
    Waiting, WitnessAnswer,
};
pub use commit::{BodyFile, Commit, LogAppend, Write};
pub use config::{Config, Random, SystemClearance};
pub use engine::{Engine, Step};
pub use event::{
    Arrival, BatchId, Event, LinkId, LogDeed, Question, ReceiptMode, SubscriptionId, Ticket, Token,
};
pub use log::{LogConfig, SignedSet};
pub use record::{
    Body, BodyRef, Certificate, ChannelEnd, Done, Hold, HoldNumber, Item, LogHead, Marked, Pack,
    PackKey, Parcel, QueueId, SeenLog, SeenMark, SeenRun, Seq,
};
pub use retention::Retention;
pub use view::{LaneSpan, View, ViewError};
pub use witness::Shown;

#[cfg(test)]
mod testing;
