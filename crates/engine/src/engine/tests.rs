//! One relay as its host sees it: events in, commits and actions out.

mod custody;
mod expiry;
mod links;
mod mailboxes;
