//! What the tests of the engine stand on: a state in memory, the example federation with its
//! keys, and one relay with its host.

mod cast;
mod host;
mod logs;
mod memory;

pub(crate) use cast::{
    Key, Letter, NOW, SOFTWARE, address, approval_of, change_of, check_part, config, files_with,
    key_id, key_text, ministry, officer, policy, policy_by, policy_with, system,
};
pub(crate) use host::{Host, Still, accepted, one_by_one};
pub(crate) use logs::{cosigner_of, delivery_of, receipt_of, signer_of, stated, verified};
pub(crate) use memory::Memory;
