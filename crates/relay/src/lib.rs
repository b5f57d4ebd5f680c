//! The relay of one ministry: engine, store and links wired to one machine.
//!
//! [`Config::load`] checks everything before a socket opens; [`Relay::start`] takes up the state
//! that was left behind. Inside, one loop decides, makes durable and speaks, in that order;
//! everything else checks signatures in parallel before it, or carries bytes after it.
//!
//! This crate decides nothing about messages (that is `kuriiri-engine`) and stores nothing itself
//! (that is `kuriiri-store`).

mod acceptance;
mod admin;
mod certificates;
mod checking;
mod checks;
mod clock;
mod config;
mod convert;
mod daemon;
mod dispatch;
mod door;
mod driver;
mod error;
mod fixed;
mod gate;
mod handing_out;
mod in_force;
mod inbox;
mod incoming;
mod judgement;
mod lapses;
mod lines;
mod messages;
mod names;
mod newer_proofs;
mod outgoing;
mod peers;
mod proving;
mod publish;
mod pushes;
mod record;
mod reload;
mod renew;
mod rollback;
mod room;
mod session;
mod shared;
mod signed;
mod state;
mod subscription;
mod turns;

pub use config::Config;
pub use daemon::Relay;
pub use error::{ConfigError, RelayError};
pub use kuriiri_wire::admin::Lapse;
pub use renew::{Renewed, renew_log};
