//! Endpoints over real UDP on the loopback, and what must not get through.
//!
//! Every refusal is checked for its reason: a test that only saw a failure would also pass when
//! the failure was another one.

#![allow(
    clippy::unwrap_used,
    reason = "these are tests, but clippy only knows the functions that are marked so"
)]

mod certificates;
mod crowds;
mod cryptography;
mod dialled;
mod ends;
mod frames;
mod swaps;
mod world;
