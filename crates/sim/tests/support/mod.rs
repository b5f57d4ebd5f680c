//! An auditor who gets the logs of a world's relays as folders, and what may be said of honest relays.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    missing_debug_implementations,
    reason = "each test uses a part of it"
)]

mod auditor;
mod damage;
mod extracts;
mod folder;
mod logs;
mod verdict;

pub use auditor::{Auditor, Folder};
pub use extracts::{extract, messages};
pub use logs::Logs;
pub use verdict::Verdict;

/// One of several, by a seed and another number.
pub fn choice<T>(from: &[T], seed: u64, number: u64) -> &T {
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    &from[((mixed >> 32) % from.len() as u64) as usize]
}
