//! What the store keeps, through its public face alone: reopened, killed, filled and damaged.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod beside;
mod damage;
mod erased;
mod full_disk;
mod kill;
mod log;
mod log_damage;
mod log_headers;
mod log_pruned;
mod log_renewed;
mod log_shown;
mod made;
mod members;
mod model;
mod peers;
mod power_cut;
mod space;
