//! The log on disk: C2SP `tlog-tiles`, derived from entries that the commits made durable.
//!
//! Entries stand in the tree of records until their files are known to be durable; so a file is
//! never synced alone, and after a crash all that may be torn is written again. The order is: the
//! commit, then full tiles and bundles beside the log, then — at the next checkpoint — the files
//! into the log, the partial ones, and the checkpoint, which is durable before it has its name.
//!
//! What is read is held against the tile above it, up to the right edge of the tree, which is in
//! memory and was held against the last commit at the start. So a file that changed is an error.
//!
//! Headers stand beside the entries that name them, and go the same way. They are in no tree: each is
//! held against the digest in its entry, and a missing one against what left.

mod begun;
mod beside;
mod cache;
mod edge;
mod fault;
mod files;
mod going;
mod grow;
mod headers;
mod open;
mod prove;
mod publish;
mod read;
pub(crate) mod recorded;
mod state;

pub use begun::LogBegun;
pub use beside::Named;
pub(crate) use going::{Going, Left};
pub(crate) use grow::Grown;
pub(crate) use headers::Emptied;
pub(crate) use open::Shape;
pub use publish::Published;
pub(crate) use state::Log;
