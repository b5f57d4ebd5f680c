//! What saboteurs do to what a relay says: to its actions, and to the proofs that its host makes.

use bytes::BytesMut;
use kuriiri_engine::{Action, Reply, Status};
use kuriiri_types::{
    Code, Refusal, SignedReceipt, Verdict,
    limits::{BATCH_MESSAGES_MAX, CREDIT_MAX, ENTRY_BYTES_MAX},
};

use crate::{sabotage::Sabotage, saboteur::Saboteur};

impl Saboteur {
    /// Changes an action before it is performed.
    pub(crate) fn forge_action(&self, action: Action) -> Action {
        match action {
            Action::Answer(token, reply) => Action::Answer(token, self.forge_reply(reply)),
            Action::Confirm { subscription, tickets } => {
                if self.plan == Sabotage::TurnsReceiversAway {
                    return Action::Refuse(subscription, Refusal::bare(Code::NOT_YOURS));
                }
                Action::Confirm { subscription, tickets }
            }
            Action::Deliver { subscription, items } => {
                if self.plan != Sabotage::HandsOutTooMuch {
                    return Action::Deliver { subscription, items };
                }
                let more = items.into_iter().cycle().take(CREDIT_MAX as usize + 1);
                Action::Deliver { subscription, items: more.collect() }
            }
            Action::Transmit { peer, link, lane, batch, epoch, mut load } => {
                if self.plan == Sabotage::SendsTooMuch {
                    load = load.into_iter().cycle().take(BATCH_MESSAGES_MAX + 1).collect();
                }
                Action::Transmit { peer, link, lane, batch, epoch, load }
            }
            other @ (Action::DeliverReceipts { .. } | Action::Dial(_) | Action::Refuse(..)) => {
                other
            }
        }
    }

    fn forge_reply(&self, reply: Reply) -> Reply {
        match (self.plan, reply) {
            (Sabotage::AnswersSomethingElse, Reply::Verdicts { .. }) => Reply::Noted,
            (Sabotage::MiscountsWhatWaits, Reply::Status(status)) => {
                Reply::Status(miscounted(status))
            }
            (Sabotage::SwallowsAVerdict, Reply::Verdicts { mut verdicts, receipts }) => {
                verdicts.pop();
                Reply::Verdicts { verdicts, receipts }
            }
            (Sabotage::RefusesWhatItHolds, Reply::Verdicts { mut verdicts, receipts }) => {
                let refused = || Verdict::Refused(Refusal::bare(Code::REJECTED));
                let mut taken = verdicts.iter_mut();
                if let Some(one) = taken.find(|v| matches!(v, Verdict::Accepted { .. })) {
                    *one = refused();
                }
                Reply::Verdicts { verdicts, receipts }
            }
            (Sabotage::WithholdsReceipts, Reply::Verdicts { verdicts, mut receipts }) => {
                receipts.pop();
                Reply::Verdicts { verdicts, receipts }
            }
            (Sabotage::MisplacesReceipts, Reply::Verdicts { verdicts, mut receipts }) => {
                receipts.iter_mut().for_each(|receipt| receipt.index ^= 1);
                Reply::Verdicts { verdicts, receipts }
            }
            (_, reply) => reply,
        }
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

/// A status by which something waits in every queue.
fn miscounted(mut status: Status) -> Status {
    let peers = status.peers.iter_mut().map(|peer| &mut peer.waiting);
    for waiting in status.mailboxes.iter_mut().chain(peers) {
        waiting.oldest = Some(status.now);
    }
    status
}
