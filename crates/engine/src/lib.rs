//! The relay as a deterministic state machine.
//!
//! Events come in, one [`Step`] goes out: a [`Commit`] to be made durable, then actions to be
//! performed. The engine does no IO but reads of the committed state through a [`View`], has no
//! clock, no randomness of its own, no tasks and no locks, and does not know protobuf, sled or QUIC.
//! Start and recovery are one function, [`Engine::restore`].
//!
//! [`Engine`] has a part for each thing that it does: `intake` takes messages in, `peers` and `mailboxes` hand
//! them out, `receipt_readers` show senders their receipts, `review` and `expiry` go through what waits, and
//! `witness` and `channel_sums` look after logs. Each owns its state. All of them work on `custody` (queues,
//! holds, rules, and what was taken before) and on the `step` in the making (commit, log, statements, actions).
//!
//! The path of a message: `intake` (checks, decision, room) → `custody` → `peers` or `mailboxes` (decided again
//! at each attempt) → `stating` (what the sender is told). What people must release, or what may not leave at
//! this hour, waits in a hold (`custody/holding`, `custody/officers`).

mod action;
mod case;
mod channel_sums;
mod classes;
mod commit;
mod config;
mod custody;
mod decisions;
mod deeds;
mod endorsed;
mod engine;
mod erase;
mod event;
mod expiry;
mod holds;
mod intake;
mod lane;
mod loaded;
mod log;
mod mailboxes;
mod message;
mod peers;
mod queued;
mod queues;
mod rates;
mod reader;
mod receipt_readers;
mod recent;
mod record;
mod retention;
mod retry;
mod review;
mod room;
mod rules;
mod seen;
mod serials;
mod shares;
mod statements;
mod stating;
mod step;
mod stop;
mod turned_away;
mod view;
mod waiting;
mod witness;

pub use action::{
    Action, AsideState, Delivery, Filled, HoldState, Load, PeerState, ReceiptOut, Reply,
    Resolution, Status, Unproved, Waiting, WitnessAnswer,
};
pub use commit::{BodyFile, Commit, LogAppend, Write};
pub use config::{Config, LogConfig, Random, Roster, SignedSet, SystemClearance};
pub use engine::Engine;
pub use event::{
    Answer, Arrival, AsideDeed, AsidePlace, BatchId, Event, LinkId, LogDeed, PersonRequest,
    Question, ReceiptMode, RoomLeft, Shown, SubscriptionId, Ticket, Token,
};
pub use record::{
    Aside, Body, BodyRef, Certificate, ChannelEnd, Done, Hold, HoldNumber, Item, LogHead, Marked,
    Pack, PackKey, Parcel, QueueId, SeenLog, SeenMark, SeenRun, Seq,
};
pub use retention::Retention;
pub use step::Step;
pub use view::{LaneSpan, View, ViewError};

#[cfg(test)]
mod testing;
