//! The rules as invariants ask them: anew, and apart from the engine's own way of asking.

use std::collections::BTreeSet;

use kuriiri_policy::{Decision, Facts, NodeId, Policy, Reason, Route};
use kuriiri_types::{
    Approval, ApprovalAct, Ministry, SignedApproval, Timestamp, limits::CLOCK_SKEW_MAX,
};
use kuriiri_wire::approval;

use crate::{cast::Cast, sender::Sent};

/// A message on one step of its way.
pub(crate) struct Matter<'a> {
    pub(crate) message: &'a Sent,
    pub(crate) at: &'a Ministry,
    /// Where it is to go; nowhere if it is where it should be.
    pub(crate) next: Option<&'a Ministry>,
    pub(crate) dest: &'a Ministry,
    /// The relays that have or had it, this one included.
    pub(crate) path: &'a [Ministry],
    /// What officers said of it.
    pub(crate) words: &'a [Approval],
}

impl Matter<'_> {
    /// Whether it may take its next step.
    pub(crate) fn decide(&self, now: Timestamp, policy: &Policy) -> Decision {
        self.with_facts(policy, |facts| policy.decide(now, &facts))
    }

    /// Which step it may take.
    pub(crate) fn route(&self, now: Timestamp, policy: &Policy) -> Result<Route, Vec<Reason>> {
        self.with_facts(policy, |facts| policy.next_hop(now, &facts))
    }

    fn with_facts<R>(&self, policy: &Policy, ask: impl FnOnce(Facts<'_>) -> R) -> R {
        let header = &self.message.header;
        let node = |ministry: &Ministry| policy.node(ministry).unwrap_or(NodeId::UNKNOWN);
        let path: Vec<NodeId> = self.path.iter().map(node).collect();
        let prev = path.len().checked_sub(2).and_then(|place| path.get(place)).copied();
        let approvals = self.words.iter().map(|word| kuriiri_policy::Approval {
            officer: word.officer.name(),
            node: node(word.officer.ministry()),
            digest: word.subject,
            until: word.until,
            roles: &[],
        });
        let approvals: Vec<_> = approvals.collect();
        ask(Facts {
            at: node(self.at),
            origin: node(header.from.ministry()),
            prev,
            next: self.next.map(node),
            dest: node(self.dest),
            path: &path,
            verified: true,
            label: header.label.as_ref(),
            alternatives: &[],
            originating: false,
            person: None,
            sealed: policy.federation().check_seal(header, self.dest).is_ok(),
            size: header.body_size,
            created: header.created,
            expires: header.expires,
            precedence: header.precedence,
            message_type: header.message_type,
            skew: CLOCK_SKEW_MAX,
            digest: Some(self.message.leaf),
            approvals: &approvals,
            drafter: header.drafter.as_deref(),
            onward: false,
            consent: false,
        })
    }
}

/// The releases of this very message among what came with it, each truly signed.
pub(crate) fn words(
    cast: &Cast,
    now: Timestamp,
    message: &Sent,
    signed: &[SignedApproval],
) -> Vec<Approval> {
    let read = |signed: &SignedApproval| {
        let read = |bytes: &bytes::Bytes| approval::decode(bytes);
        let verified = cast.verifier.approval(signed.clone(), read, now).ok()?;
        let is_ours = verified.check(&message.header, message.leaf).is_ok()
            && verified.approval().act == ApprovalAct::Release;
        is_ours.then(|| verified.into_parts().0)
    };
    signed.iter().filter_map(read).collect()
}

/// The persons who release a message now: each once, and not whoever wrote it.
pub(crate) fn persons<'a>(
    now: Timestamp,
    message: &Sent,
    words: &'a [Approval],
) -> BTreeSet<&'a str> {
    let header = &message.header;
    let counts = |word: &&Approval| {
        word.officer.ministry() == header.from.ministry()
            && word.until.is_none_or(|until| now <= until)
            && !header.is_drafted_by(&word.officer)
    };
    words.iter().filter(counts).map(|word| word.officer.name()).collect()
}

/// How many officers must at least have released a message with such a label, whatever the rules
/// of a ministry add to that.
pub(crate) fn officers_at_least(message: &Sent) -> usize {
    let label = message.header.label.as_ref().filter(|label| label.policy == "FI");
    match label.map(|label| label.level.as_str()) {
        Some("TL3") => 1,
        Some("TL2") => 2,
        Some(_) | None => 0,
    }
}
