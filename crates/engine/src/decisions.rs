//! Decisions on their way into the log, with everything that they rested on.

use kuriiri_types::{Giver, Ministry, ReceiptKind, SignedApproval, Subject};

use crate::{
    classes::{Basis, First},
    message::Message,
    rules::{Onward, Ruled, Rules},
    stating::Failure,
    step::Work,
    stop::Stop,
};

/// A message that was decided on, and what else the decisions on its copies rested on.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) subject: Subject,
    /// Who handed it over, if it comes in now.
    pub(crate) giver: Option<&'a Giver>,
    pub(crate) path: &'a [Ministry],
    pub(crate) approvals: &'a [SignedApproval],
    /// Its signed header, if this log names it for the first time.
    pub(crate) first: Option<First>,
}

impl Rules {
    /// Notes the decisions on one message, for its ministries; the first brings its header into the
    /// log. Each is a link of the chain of the peer that the message came from, and of each that its
    /// copy goes to.
    pub(crate) fn log_decided(
        &self,
        work: &mut Work<'_>,
        judged: Judged<'_>,
        ruled: Vec<Ruled>,
        stops: &[Stop],
    ) {
        let Judged { subject, giver, path, approvals, mut first } = judged;
        let clearances = giver.and_then(|giver| match giver {
            Giver::System(system) => self.written_clearances(system),
            Giver::Peer(_) => None,
        });
        for ruled in ruled {
            let here = stops.iter().filter(|stop| stop.dest == ruled.dest);
            let outboxes = here.filter_map(|stop| stop.queue.peer().cloned());
            let basis = Basis {
                giver: giver.cloned(),
                path: path.to_vec(),
                clearances: clearances.clone(),
                approvals: approvals.to_vec(),
                outboxes: outboxes.collect(),
                ruled,
            };
            work.classes.add(basis, subject, first.take());
        }
    }

    /// Notes that a message in custody may no longer go on. That its time is over is no decision.
    pub(crate) fn log_withdrawn(
        &self,
        work: &mut Work<'_>,
        message: &Message,
        next: Option<&Ministry>,
        why: &Failure,
    ) {
        if why.kind != ReceiptKind::Expired {
            self.log_decided_again(work, message, next);
        }
    }

    /// Notes the decision on a message in custody that does not go on as it was to.
    pub(crate) fn log_decided_again(
        &self,
        work: &mut Work<'_>,
        message: &Message,
        next: Option<&Ministry>,
    ) {
        let onward = next.map_or(Onward::Nowhere, Onward::To);
        let ruled = self.ruled(work.now, &message.case(), onward);
        let judged = Judged {
            subject: message.subject(),
            giver: None,
            path: &message.parcel().path,
            approvals: &message.parcel().approvals,
            first: None,
        };
        self.log_decided(work, judged, vec![ruled], &[]);
    }
}
