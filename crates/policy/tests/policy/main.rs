//! The policy as its users see it: vectors, made cases and properties on the example federation.

mod example;
mod properties;
mod routes;
mod selection;
mod situations;
mod vectors;
