//! Many relays in one process, in virtual time, with everything that can go wrong between them.
//!
//! A [`World`] is made of real engines, real signatures, the real wire encoding of signed bytes and
//! the example federation. Around them disks, links, systems and crashes are simulated: links are
//! lost with what was under way on them, batches are late and come again, relays lose sight of each
//! other, crash before and after a commit, and find on their disk what was committed and nothing
//! else. Officers release what waits at their relays or get it wrong, a hostile relay hands over
//! what nobody released, messages are erased, headers are pruned, and rules change under all of it. If
//! somebody wants it, clocks are wrong, and relays cosign each other's logs. One seed decides
//! everything, so what was seen once can be seen again.
//!
//! After every step, and when all is quiet again, a world is held against invariants. Each has a
//! name, and there is a world with a deliberate fault ([`Sabotage`]) that must be found by it.
//!
//! In the end the logs of a world can be had as an auditor gets them ([`World::logs`]): the auditor's
//! program must find nothing in those of honest relays.
//!
//! This crate is for development. It does NOT simulate the store, QUIC, the daemon's tasks or the
//! client library, and says nothing about speed.
//!
//! ```
//! use kuriiri_sim::World;
//!
//! let report = World::new(1)?.with(300, 0).run()?;
//! assert!(report.commits > 0);
//! # Ok::<(), kuriiri_sim::Failure>(())
//! ```

mod ages;
mod batches;
mod cast;
mod circulars;
mod clock;
mod clock_setting;
mod committed_log;
mod compose;
mod disk;
mod disk_log;
mod dispatch;
mod drafts;
mod erasing;
mod failure;
mod faults;
mod hosting;
mod invariants;
mod isolation;
mod isolation_plan;
mod judgement;
mod links;
mod log_history;
mod lying_codec;
mod membership;
mod network;
mod node;
mod observer;
mod observing;
mod officers;
mod own_clock;
mod passed;
mod people;
mod planned;
mod proving;
mod quiet_queues;
mod receiver;
mod rekeying;
mod relay_log;
mod renewal;
mod renewing;
mod rng;
mod rule_changes;
mod rulebook;
mod sabotage;
mod sabotaged_actions;
mod sabotaged_commits;
mod saboteur;
mod sender;
mod smuggling;
mod trace;
mod witnessing;
mod word;
mod world;

pub use ages::Report;
pub use failure::Failure;
pub use relay_log::{LogCopy, RelayLog};
pub use sabotage::Sabotage;
pub use world::World;
