//! What other people's implementations say about the same files and notes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../../merkle/tests/oracles/nodes.rs"]
mod nodes;
mod notes;
mod tiles;
