//! What the encoding must keep, whoever is at the other end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that meets the unexpected stops"
)]

mod admin;
mod arbitrary;
mod contract;
mod corpora;
mod damage;
mod decided;
mod entries;
mod frames;
mod limits;
mod parts;
mod pieces;
mod sample;
mod signed;
mod statements;
mod upkeep;
mod vectors;
