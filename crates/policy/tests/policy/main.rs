//! The policy as its users see it: vectors, made cases and properties on the example federation.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod differing;
mod example;
mod explained;
mod fuzzed;
mod gates;
mod handling;
mod lattice;
mod model;
mod offers;
mod properties;
mod rehearsal;
mod routes;
mod selection;
mod told;
mod vectors;
