//! What must always hold. Each check is called as its invariant is.

mod custody;
mod genuine;
mod headers;
mod holds;
mod logs;
mod statements;
mod sums;
