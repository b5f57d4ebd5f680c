//! A client over real QUIC on the loopback, with a relay at the other end that does exactly what a
//! test tells it to: answers late, in another order, wrongly, or not at all.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests, but clippy only knows the functions that are marked so"
)]

mod asking;
mod links;
mod log;
mod officer_profiles;
mod officers;
mod profiles;
mod proofs;
mod receipts;
mod receiving;
mod refreshing;
mod relay;
mod sealing;
mod sending;
mod world;
