//! Real relays, real systems, real disks: the program as its users have it, over loopback.
//!
//! `house` holds the structure of the code to its plan; everything else starts processes.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and act at the real time"
)]

mod aside;
mod books;
mod circles;
mod command;
mod deliver;
mod documents;
mod evidence;
mod federation;
mod full_disk;
mod holds;
mod house;
mod identity;
mod interop;
mod lapses;
mod names;
mod output;
mod policies;
mod promised;
mod provoke;
mod seals;
mod sending;
mod signed_files;
mod stories;
mod upkeep;
