//! From the engine's commit to one record of the journal, checked before anything is applied.

mod draft;
mod log;
mod prepare;

pub(crate) use prepare::{LogChanges, Prepared, prepare};
