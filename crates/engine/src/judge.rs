//! The policy as the engine asks it.

use std::{sync::Arc, time::Duration};

use kuriiri_policy::{Decision, Facts, Lang, Missing, NodeId, Obligations, Policy, Reason, Route};
use kuriiri_types::{
    Code, Header, Ministry, Outcome, Refusal, Timestamp,
    limits::{BODY_BYTES_MAX, CLOCK_SKEW_MAX, HOPS_MAX, MESSAGE_TTL_MAX},
};

use crate::event::Question;

/// The rules in force, and where they are asked.
#[derive(Debug)]
pub(crate) struct Judge {
    policy: Arc<Policy>,
    home: Ministry,
    here: NodeId,
}

/// One message on its way to one of its ministries.
pub(crate) struct Case<'a> {
    pub(crate) header: &'a Header,
    pub(crate) dest: &'a Ministry,
    /// The relays that had it before this one; empty at the origin.
    pub(crate) path: &'a [Ministry],
}

/// Where a message goes from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hop {
    /// It has arrived.
    Here,
    /// To this relay.
    Peer(Ministry),
}

/// The nodes of a path; on the stack, because it is asked for every message.
type Path = ([NodeId; HOPS_MAX], usize);

impl Judge {
    pub(crate) fn new(policy: Arc<Policy>, home: Ministry) -> Self {
        let here = policy.node(&home).unwrap_or(NodeId::UNKNOWN);
        Self { policy, home, here }
    }

    /// Whether a message may be taken, where it goes, and until when it may live.
    pub(crate) fn route(
        &self,
        now: Timestamp,
        case: &Case<'_>,
    ) -> Result<(Hop, Timestamp), Refusal> {
        let path = self.path(case);
        let facts = self.facts(case, &path, case.path.is_empty());
        let (hop, terms) = self.hop(now, &facts)?;
        Ok((hop, lifetime(case.header, &terms)))
    }

    fn hop(&self, now: Timestamp, facts: &Facts<'_>) -> Result<(Hop, Obligations), Refusal> {
        match self.policy.next_hop(now, facts).map_err(|why| refuse(&why))? {
            Route::Arrived(terms) => Ok((Hop::Here, terms)),
            Route::Forward(next, terms) => {
                let peer = self.domain(next).ok_or(Refusal::bare(Code::NO_ROUTE))?;
                Ok((Hop::Peer(peer), terms))
            }
            Route::Hold(_, missing) => Err(held(missing)),
        }
    }

    /// Whether a message in custody may still go to a peer, or to its recipient's system.
    pub(crate) fn still_allows(
        &self,
        now: Timestamp,
        case: &Case<'_>,
        next: Option<&Ministry>,
    ) -> Result<(), Refusal> {
        let path = self.path(case);
        let mut facts = self.facts(case, &path, false);
        facts.next = next.map(|next| self.node(next));
        let refusal = match self.policy.decide(now, &facts) {
            Decision::Permit(_) => return Ok(()),
            Decision::Deny(reasons) => refuse(&reasons),
            Decision::Hold(_, missing) => held(missing),
        };
        match refusal.code {
            Code::POLICY => Err(Refusal { code: Code::WITHDRAWN, ..refusal }),
            _ => Err(refusal),
        }
    }

    /// What would happen to a message that does not exist yet. If it may only go sealed, says so.
    pub(crate) fn ask(&self, now: Timestamp, question: &Question) -> Outcome {
        match self.ask_all(now, question, false) {
            Ok(size_max) => Outcome::Permit { seal: false, size_max, approvals: 0 },
            Err(_) => match self.ask_all(now, question, true) {
                Ok(size_max) => Outcome::Permit { seal: true, size_max, approvals: 0 },
                Err(refusal) => Outcome::Refuse(refusal),
            },
        }
    }

    /// The largest body that may go to all of them.
    fn ask_all(&self, now: Timestamp, question: &Question, sealed: bool) -> Result<u64, Refusal> {
        let mut size_max = BODY_BYTES_MAX;
        let mut ministries: Vec<&Ministry> = question.to.iter().map(|a| a.ministry()).collect();
        ministries.sort_unstable();
        ministries.dedup();
        for dest in ministries {
            let facts = self.facts_asked(now, question, dest, sealed);
            let named = |refusal: Refusal| Refusal {
                reasons: refusal.reasons.iter().map(|r| format!("{dest}: {r}")).collect(),
                ..refusal
            };
            let (_, terms) = self.hop(now, &facts).map_err(named)?;
            size_max = size_max.min(terms.max_size.unwrap_or(BODY_BYTES_MAX));
        }
        Ok(size_max)
    }

    /// The next relay on the way of a receipt, which carries nothing but ids: the ministry itself
    /// if there is a direct link, else a hub that has links with both.
    pub(crate) fn receipt_hop(&self, to: &Ministry) -> Option<Ministry> {
        let (federation, dest) = (self.policy.federation(), self.node(to));
        if federation.linked(self.here, dest) {
            return Some(to.clone());
        }
        let joins =
            |hub: &NodeId| federation.linked(self.here, *hub) && federation.linked(*hub, dest);
        federation.hubs().find(joins).and_then(|hub| self.domain(hub))
    }

    // === facts ===

    fn facts<'a>(&self, case: &Case<'a>, path: &'a Path, originating: bool) -> Facts<'a> {
        let header = case.header;
        Facts {
            prev: case.path.last().map(|peer| self.node(peer)),
            dest: self.node(case.dest),
            path: path.0.get(..path.1).unwrap_or_default(),
            label: header.label.as_ref(),
            originating,
            sealed: header.sealing.is_some(),
            size: header.body_size,
            created: header.created,
            expires: header.expires,
            precedence: header.precedence,
            message_type: header.message_type,
            ..self.blank(self.node(header.from.ministry()))
        }
    }

    fn facts_asked<'a>(
        &self,
        now: Timestamp,
        question: &'a Question,
        dest: &Ministry,
        sealed: bool,
    ) -> Facts<'a> {
        Facts {
            dest: self.node(dest),
            label: question.label.as_ref(),
            originating: true,
            sealed,
            size: question.size,
            created: now,
            precedence: question.precedence,
            ..self.blank(self.here)
        }
    }

    /// A verified message of which nothing else is known.
    fn blank<'a>(&self, origin: NodeId) -> Facts<'a> {
        Facts {
            at: self.here,
            origin,
            prev: None,
            next: None,
            dest: NodeId::UNKNOWN,
            path: &[],
            verified: true,
            label: None,
            alternatives: &[],
            originating: false,
            person: None,
            sealed: false,
            size: 0,
            created: Timestamp::default(),
            expires: None,
            precedence: kuriiri_types::Precedence::default(),
            message_type: kuriiri_types::MessageType::default(),
            skew: CLOCK_SKEW_MAX,
            digest: None,
            approvals: &[],
            drafter: None,
            onward: false,
            consent: false,
        }
    }

    fn path(&self, case: &Case<'_>) -> Path {
        let mut path = ([NodeId::UNKNOWN; HOPS_MAX], 0usize);
        for (slot, ministry) in path.0.iter_mut().zip(case.path.iter().chain([&self.home])) {
            *slot = self.node(ministry);
            path.1 = path.1.saturating_add(1);
        }
        path
    }

    fn node(&self, ministry: &Ministry) -> NodeId {
        self.policy.node(ministry).unwrap_or(NodeId::UNKNOWN)
    }

    fn domain(&self, node: NodeId) -> Option<Ministry> {
        self.policy.federation().get(node)?.domain().cloned()
    }
}

fn held(missing: Vec<Missing>) -> Refusal {
    refuse(&missing.into_iter().map(Reason::Missing).collect::<Vec<_>>())
}

fn refuse(reasons: &[Reason]) -> Refusal {
    let say = |reason: &Reason| format!("{}: {}", reason.code(), reason.text(Lang::En));
    Refusal { code: kuriiri_policy::coarse(reasons), reasons: reasons.iter().map(say).collect() }
}

/// Until when a message may live: by its header, by the rules, by the limit.
fn lifetime(header: &Header, terms: &Obligations) -> Timestamp {
    let ttl = terms.ttl.unwrap_or(Duration::MAX).min(MESSAGE_TTL_MAX);
    let limit = header.created.after(ttl);
    header.expires.map_or(limit, |expires| expires.min(limit))
}

#[cfg(test)]
mod tests;
