//! One relay as its host sees it: events in, commits and actions out.

mod aside;
mod custody;
mod erase;
mod expiry;
mod holds;
mod links;
mod log;
mod mailboxes;
mod room;
mod witness;
