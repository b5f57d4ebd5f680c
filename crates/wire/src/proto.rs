//! The types that are generated from `proto/`. They never leave this crate.

#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::use_self,
    clippy::or_fun_call,
    reason = "generated code; the documented contract is in proto/"
)]

include!(concat!(env!("OUT_DIR"), "/kuriiri.v2.rs"));
