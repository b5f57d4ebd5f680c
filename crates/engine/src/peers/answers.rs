//! What peers answer.

use std::time::Duration;

use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{Lane, Ministry, ReceiptKind, Timestamp, Verdict};

use super::{Peers, proofs::Proofs};
use crate::{
    custody::{Custody, Heard},
    event::{BatchId, LinkId},
    queued::Queued,
    record::{QueueId, Seq},
    stating::Failure,
    step::Work,
    view::ViewError,
};

/// How long a lane rests after the peer said that a queue of its own is full.
const BUSY_REST: Duration = Duration::from_millis(500);

impl Peers {
    pub(crate) fn on_answered(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        (peer, link): (&Ministry, LinkId),
        (lane, batch): (Lane, BatchId),
        verdicts: Vec<Verdict>,
        receipts: Vec<VerifiedReceipt>,
    ) -> Result<(), ViewError> {
        let state = self.0.get_mut(peer).filter(|p| p.link == Some(link));
        let Some(under_way) = state.and_then(|p| p.lanes.get_mut(&lane)) else {
            return Ok(());
        };
        let Some(seqs) = under_way.in_flight.remove(&batch) else {
            return Ok(());
        };
        let answers = verdicts.into_iter().chain(std::iter::repeat(Verdict::Busy));
        let mut proofs = Proofs::of(peer, receipts);
        for (seq, verdict) in seqs.into_iter().zip(answers) {
            self.on_verdict(custody, work, (peer, lane, seq), verdict, &mut proofs)?;
        }
        self.rest_if_busy(work.now, peer, lane);
        Ok(())
    }

    fn on_verdict(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        (peer, lane, seq): (&Ministry, Lane, Seq),
        verdict: Verdict,
        proofs: &mut Proofs,
    ) -> Result<(), ViewError> {
        let queue = QueueId::Outbox(peer.clone());
        let item = custody.queues.lane(&queue, lane).and_then(|l| l.item(seq));
        let message = match item {
            Some(Queued::Message(message)) => Some(message),
            Some(Queued::Receipt(_)) | None => None,
        };
        let kind = match verdict {
            Verdict::Accepted { .. } => Some(ReceiptKind::Relayed),
            Verdict::Refused(_) => Some(ReceiptKind::Refused),
            Verdict::Busy => None,
        };
        let proof = message.as_deref().zip(kind).map(|(message, kind)| proofs.find(message, kind));
        let mut proof = proof.unwrap_or_default();
        for number in std::mem::take(&mut proof) {
            let Some(receipt) = proofs.statements.get(number) else { continue };
            // One statement speaks of many messages, and is kept once. One that speaks of others too proves
            // nothing.
            let is_new = proofs.kept.insert(number);
            if !is_new || keep_proof(custody, work, peer, receipt)? != Heard::Not {
                proof.push(number);
            } else {
                proofs.kept.remove(&number);
            }
        }
        match verdict {
            // Who cannot show that it has the message has not taken it from us.
            Verdict::Accepted { .. } if message.is_some() && proof.is_empty() => {
                self.come_again(custody, work, peer, lane, seq);
            }
            Verdict::Busy => self.come_again(custody, work, peer, lane, seq),
            Verdict::Accepted { .. } => {
                custody.queues.finish(&queue, lane, seq);
            }
            Verdict::Refused(refusal) => {
                custody.queues.finish(&queue, lane, seq);
                if let Some(message) = message {
                    work.tell_failure(&message, &Failure::refused(refusal));
                }
            }
        }
        Ok(())
    }

    fn come_again(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        peer: &Ministry,
        lane: Lane,
        seq: Seq,
    ) {
        custody.give_back(work, &QueueId::Outbox(peer.clone()), lane, seq);
        if let Some(under_way) = self.0.get_mut(peer).and_then(|p| p.lanes.get_mut(&lane)) {
            under_way.is_busy = true;
        }
    }

    /// Once all that was under way in a busy lane has come back, it rests and begins anew.
    fn rest_if_busy(&mut self, now: Timestamp, peer: &Ministry, lane: Lane) {
        let Some(under_way) = self.0.get_mut(peer).and_then(|p| p.lanes.get_mut(&lane)) else {
            return;
        };
        if under_way.is_busy && under_way.in_flight.is_empty() {
            under_way.is_busy = false;
            under_way.epoch = under_way.epoch.saturating_add(1);
            under_way.rests_until = Some(now.after(BUSY_REST));
        }
    }
}

/// Keeps what the next relay states about messages. That it has them goes on to a sender at home;
/// that it would not take them, the sender hears from us.
fn keep_proof(
    custody: &mut Custody,
    work: &mut Work<'_>,
    peer: &Ministry,
    receipt: &VerifiedReceipt,
) -> Result<Heard, ViewError> {
    let said = receipt.receipt();
    let is_home = *said.sender.ministry() == *custody.home();
    let passes_on = said.kind == ReceiptKind::Relayed && is_home;
    custody.keep_receipt(work, peer, receipt, passes_on)
}
