//! What the tests of the engine stand on: a state in memory, the example federation with its
//! keys, and one relay with its host.

mod cast;
mod host;
mod memory;

pub(crate) use cast::{
    Letter, NOW, WireCodec, address, approval_of, config, delivery_of, ministry, officer, policy,
    policy_with, system,
};
pub(crate) use host::{Host, Still, accepted};
pub(crate) use memory::Memory;
