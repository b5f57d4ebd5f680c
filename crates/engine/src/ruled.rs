//! Decisions, written into the log with everything that they rested on.

use kuriiri_types::{
    Decided, Direction, Envelope, HeldClearance, LogEvent, Ministry, ReceiptKind, SignedApproval,
    SpiffeId, Timestamp,
};

use crate::{
    admit::Stop,
    config::SystemClearance,
    engine::Engine,
    held::Message,
    judge::{Case, Onward},
    receipts::Negative,
    record::QueueId,
    work::Work,
};

impl Engine {
    /// The decision on a message that comes in, for the log.
    pub(crate) fn decided(
        &self,
        now: Timestamp,
        case: &Case<'_>,
        approvals: &[SignedApproval],
    ) -> Decided {
        let clearances = case.submitter.and_then(|system| self.clearances_of(system));
        let decided = self.judge.decided(now, case, Onward::Considered, approvals);
        Decided { clearances, ..decided }
    }

    /// What a system is cleared for, as far as the rules in force can read it: a clearance with a
    /// name in it that they do not know grants nothing.
    fn clearances_of(&self, system: &SpiffeId) -> Option<Vec<HeldClearance>> {
        let held = |clearance: &SystemClearance| HeldClearance {
            policy: clearance.policy.clone(),
            levels: clearance.levels.clone(),
            grants: clearance.grants.clone(),
        };
        let all = self.config.clearances.get(system)?.iter();
        Some(all.filter(|clearance| self.judge.can_read(clearance)).map(held).collect())
    }

    /// Writes the decisions on one message, the first of them with the signed header. Each is a link
    /// of the chain of the peer that the message came from, and of each that its copy goes to.
    pub(crate) fn log_decided(
        &self,
        work: &mut Work<'_>,
        decided: Vec<Decided>,
        envelope: Option<&Envelope>,
        from: Option<&Ministry>,
        stops: &[Stop],
    ) {
        let mut envelope = envelope.cloned();
        for mut taken in decided {
            let mut links: Vec<_> =
                from.iter().map(|peer| ((*peer).clone(), Direction::In)).collect();
            for stop in stops.iter().filter(|stop| stop.dest == taken.dest) {
                if let QueueId::Outbox(peer) = &stop.queue {
                    links.push((peer.clone(), Direction::Out));
                }
            }
            taken.envelope = envelope.take();
            taken.policy = work.log.policy().unwrap_or(taken.policy);
            work.log.append(work.now, links, LogEvent::Decided(Box::new(taken)));
        }
    }

    /// Writes that a message in custody may no longer go on. That its time is over is no decision.
    pub(crate) fn log_withdrawn(
        &self,
        work: &mut Work<'_>,
        message: &Message,
        next: Option<&Ministry>,
        why: &Negative,
    ) {
        if why.kind != ReceiptKind::Expired {
            self.log_decided_again(work, message, next);
        }
    }

    /// Writes the decision on a message in custody that does not go on as it was to.
    pub(crate) fn log_decided_again(
        &self,
        work: &mut Work<'_>,
        message: &Message,
        next: Option<&Ministry>,
    ) {
        let onward = next.map_or(Onward::Nowhere, Onward::To);
        let approvals = &message.parcel().approvals;
        let decided = self.judge.decided(work.now, &message.case(), onward, approvals);
        self.log_decided(work, vec![decided], None, None, &[]);
    }
}
