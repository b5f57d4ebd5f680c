//! What other people's implementations say about the same trees and proofs.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod nodes;
mod trees;
