//! Proofs for receipts, made when they are handed out.

use kuriiri_engine::{Unproved, ViewError};
use kuriiri_merkle::{Nodes, inclusion};
use kuriiri_types::{Digest, SignedReceipt};

use super::{edge::Edge, state::Log};

/// The tree at one moment, while the log may grow.
struct AsOf<'a> {
    log: &'a Log,
    edge: &'a Edge,
}

impl Nodes for AsOf<'_> {
    type Error = ViewError;

    fn node(&self, level: u8, index: u64) -> Result<Digest, ViewError> {
        Ok(self.log.find_beside(self.edge, level, index)?)
    }
}

impl Log {
    /// Proves entries of the log by its checkpoint as of the last commit, all by the same one.
    pub(crate) fn prove(&self, receipts: Vec<Unproved>) -> Result<Vec<SignedReceipt>, ViewError> {
        let (edge, checkpoint) = {
            let state = self.locked();
            (state.edge.clone(), state.checkpoint.clone())
        };
        let tree = AsOf { log: self, edge: &edge };
        let proved = receipts.into_iter().map(|Unproved { entry, index }| {
            if index >= edge.size() {
                return Err(ViewError(format!("the log has no entry {index} yet")));
            }
            let path = inclusion(&tree, index, edge.size())?;
            Ok(SignedReceipt { entry, index, path, checkpoint: checkpoint.clone() })
        });
        proved.collect()
    }
}
