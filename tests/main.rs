//! Real relays, real systems, real disks: the program as its users have it, over loopback.
//!
//! `house` holds the structure of the code to its plan; everything else starts processes.

mod house;
