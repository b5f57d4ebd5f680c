//! One relay as its host sees it: events in, commits and actions out.

mod custody;
mod expiry;
mod holds;
mod links;
mod mailboxes;
