//! What saboteurs do to what a relay says: to its actions, and to the proofs that its host makes.

use bytes::BytesMut;
use kuriiri_engine::{Action, Reply};
use kuriiri_types::{SignedReceipt, limits::ENTRY_BYTES_MAX};

use crate::sabotage::{Sabotage, Saboteur};

impl Saboteur {
    /// Changes an action before it is performed.
    pub(crate) fn twist(&self, mut action: Action) -> Action {
        if let Action::Answer(_, Reply::Verdicts { receipts, .. }) = &mut action {
            if self.plan == Sabotage::MisplacesReceipts {
                receipts.iter_mut().for_each(|receipt| receipt.index ^= 1);
            } else if self.plan == Sabotage::WithholdsReceipts {
                receipts.pop();
            }
        }
        action
    }

    /// Changes a receipt of this relay as it is handed out.
    pub(crate) fn fatten(&self, receipt: SignedReceipt) -> SignedReceipt {
        if self.plan != Sabotage::FattensCheckpoints {
            return receipt;
        }
        let mut checkpoint = BytesMut::from(&*receipt.checkpoint);
        checkpoint.resize(receipt.checkpoint.len() + ENTRY_BYTES_MAX, b'+');
        SignedReceipt { checkpoint: checkpoint.freeze(), ..receipt }
    }
}
