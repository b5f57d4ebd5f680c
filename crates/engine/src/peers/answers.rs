//! What peers answer.

use std::time::Duration;

use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{Code, Lane, Ministry, ReceiptKind, Refusal, Timestamp, Verdict};

use super::{Peers, proofs::Proofs};
use crate::{
    custody::{Custody, Heard},
    event::{Answer, BatchId, LinkId},
    queued::Queued,
    record::{QueueId, Seq},
    stating::Failure,
    step::Work,
    view::ViewError,
};

/// How long a lane rests after the peer said that a queue of its own is full.
const BUSY_REST: Duration = Duration::from_millis(500);
/// How long an item is put off that the peer cannot judge yet: people must put something in place, or a clock right.
const PUT_OFF_REST: Duration = Duration::from_secs(60);
/// Items of a lane that are put off at the same time. Each may hold a whole pack in memory.
const PUT_OFF_MAX: usize = 256;

impl Peers {
    pub(crate) fn on_answered(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        (peer, link): (&Ministry, LinkId),
        (lane, batch): (Lane, BatchId),
        answers: Vec<Answer>,
        receipts: Vec<VerifiedReceipt>,
    ) -> Result<(), ViewError> {
        let state = self.0.get_mut(peer).filter(|p| p.link == Some(link));
        let Some(under_way) = state.and_then(|p| p.lanes.get_mut(&lane)) else {
            return Ok(());
        };
        let Some(seqs) = under_way.in_flight.remove(&batch) else {
            return Ok(());
        };
        let has_spoken = answers.iter().any(|answer| matches!(answer, Answer::Verdict(_)));
        let count = seqs.len();
        let answers = answers.into_iter().chain(std::iter::repeat(Answer::Verdict(Verdict::Busy)));
        let mut proofs = Proofs::of(peer, receipts);
        for (seq, answer) in seqs.into_iter().zip(answers) {
            match answer {
                Answer::Verdict(verdict) => {
                    self.on_verdict(custody, work, (peer, lane, seq), verdict, &mut proofs)?;
                }
                Answer::Unreadable(why) => set_aside(custody, work, (peer, lane, seq), &why),
            }
        }
        if has_spoken {
            self.clear_of_suspicion(custody, work, (peer, lane), count);
        }
        self.rest_if_busy(work.now, peer, lane);
        Ok(())
    }

    /// The peer takes what it is handed: those that it ended links for are set aside.
    fn clear_of_suspicion(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        (peer, lane): (&Ministry, Lane),
        count: usize,
    ) {
        let Some(state) = self.0.get_mut(peer) else { return };
        let Some(suspicion) = state.suspicions.get_mut(&lane) else { return };
        let found = suspicion.answered(count);
        if !suspicion.is_narrow() {
            state.suspicions.remove(&lane);
        }
        for seq in found {
            let reason = format!("{peer} ended the link whenever it was handed over alone");
            let why = Refusal { code: Code::LINK_ENDS, reasons: vec![reason] };
            set_aside(custody, work, (peer, lane, seq), &why);
        }
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
            Verdict::Busy | Verdict::Later(_) => None,
        };
        let proof = message.as_deref().zip(kind).map(|(message, kind)| proofs.find(message, kind));
        let mut proof = proof.unwrap_or_default();
        for number in std::mem::take(&mut proof) {
            let Some(receipt) = proofs.statements.get(number) else { continue };
            // One statement speaks of many messages, and is kept once. One that speaks of others too proves
            // nothing.
            let is_new = proofs.kept.insert(number);
            match is_new.then(|| keep_proof(custody, work, peer, receipt)).transpose()? {
                None | Some(Heard::Now | Heard::Before(_)) => proof.push(number),
                Some(Heard::Later | Heard::TooOften | Heard::Not) => {
                    proofs.kept.remove(&number);
                }
            }
        }
        match verdict {
            // Who cannot show that it has the message has not taken it from us.
            Verdict::Accepted { .. } if message.is_some() && proof.is_empty() => {
                self.come_again(custody, work, peer, lane, seq);
            }
            Verdict::Busy => self.come_again(custody, work, peer, lane, seq),
            Verdict::Later(_) if message.is_none() => {
                self.come_again(custody, work, peer, lane, seq);
            }
            Verdict::Later(code) => self.put_off(custody, work, (peer, lane, seq), code),
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

    /// Keeps an item from being taken for a while, so that those behind it go. When many are kept so, it is set
    /// aside.
    fn put_off(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        (peer, lane, seq): (&Ministry, Lane, Seq),
        code: Code,
    ) {
        let Some(state) = self.0.get_mut(peer) else { return };
        let put_off = state.put_off.entry(lane).or_default();
        if put_off.len() < PUT_OFF_MAX {
            let until = work.now.after(PUT_OFF_REST);
            put_off.push_back((until, seq));
            work.wake_at(until);
            return;
        }
        let reasons =
            vec![format!("{peer} cannot judge it yet, nor as many others as wait for that")];
        set_aside(custody, work, (peer, lane, seq), &Refusal { code, reasons });
    }

    /// Gives back what was put off until now.
    pub(super) fn take_up_again(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        peer: &Ministry,
    ) {
        let Some(state) = self.0.get_mut(peer) else { return };
        let queue = QueueId::Outbox(peer.clone());
        for (lane, put_off) in &mut state.put_off {
            while put_off.front().is_some_and(|(until, _)| *until <= work.now) {
                let Some((_, seq)) = put_off.pop_front() else { break };
                custody.give_back(work, &queue, *lane, seq);
            }
            if let Some((until, _)) = put_off.front() {
                work.wake_at(*until);
            }
        }
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

/// Takes out of an outbox what cannot be handed over. A receipt just goes: the log has it. What cannot be set
/// aside for want of room is handed over again.
fn set_aside(
    custody: &mut Custody,
    work: &mut Work<'_>,
    (peer, lane, seq): (&Ministry, Lane, Seq),
    why: &Refusal,
) {
    let queue = QueueId::Outbox(peer.clone());
    let item = custody.queues.lane(&queue, lane).and_then(|l| l.item(seq));
    let leaves = match &item {
        Some(Queued::Message(message)) => {
            custody.set_aside(work, (&queue, lane), message, (why, None))
        }
        Some(Queued::Receipt(_)) | None => true,
    };
    if leaves {
        custody.queues.finish(&queue, lane, seq);
    } else {
        custody.give_back(work, &queue, lane, seq);
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
