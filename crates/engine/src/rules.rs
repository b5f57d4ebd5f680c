//! The policy as the engine asks it.

mod logged;
mod sealed;

pub(crate) use logged::Ruled;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kuriiri_policy::{
    Approval, Clearance, Decision, Facts, Lang, Missing, Node, NodeId, Obligations, Policy, Reason,
    Route,
};
use kuriiri_types::{
    Code, Handling, Header, LoggedClearance, Marker, Ministry, Outcome, Refusal, SpiffeId,
    Timestamp, WireLabel,
    limits::{BODY_BYTES_MAX, CLOCK_SKEW_MAX, HOPS_MAX, MARKERS_MAX, MESSAGE_TTL_MAX},
};

use crate::{
    case::{Case, Release},
    config::SystemClearance,
    event::Question,
};

/// The rules in force, and where they are asked.
#[derive(Debug)]
pub(crate) struct Rules {
    policy: Arc<Policy>,
    home: Ministry,
    here: NodeId,
    /// What each system of the ministry is cleared for, where that is less than the ministry.
    systems: BTreeMap<SpiffeId, Cleared>,
}

/// What a system is cleared for, as far as the rules in force can read it: a clearance with a name in it
/// that they do not know grants nothing.
#[derive(Debug)]
struct Cleared {
    compiled: Vec<Clearance>,
    /// The same as the log keeps it.
    written: Arc<Vec<LoggedClearance>>,
}

/// Where a message goes from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hop {
    /// It has arrived.
    Here,
    /// To this relay.
    Peer(Ministry),
}

/// Which next step a decision is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Onward<'a> {
    /// The one that the message takes, or would have to take.
    Considered,
    /// To this relay.
    To(&'a Ministry),
    /// None: it has arrived.
    Nowhere,
}

/// What becomes of a message now; `E` says why it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ruling<T, E = Refusal> {
    /// It may go on, in this way.
    Go(T),
    /// It may go later, if this comes about.
    Wait(Need),
    /// It may not go.
    End(E),
}

/// What a message waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    /// What people have still to do.
    People(Vec<Missing>),
    /// Nobody: the hours at which such messages may leave, or room in a queue.
    Later,
}

/// The way that a message may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) hop: Hop,
    /// What must be kept on it.
    pub(crate) terms: Obligations,
}

/// The nodes of a path; on the stack, because it is asked for every message.
type Path = ([NodeId; HOPS_MAX], usize);

impl Rules {
    pub(crate) fn new(
        policy: Arc<Policy>,
        home: Ministry,
        clearances: &BTreeMap<SpiffeId, Vec<SystemClearance>>,
    ) -> Self {
        let here = policy.node(&home).unwrap_or(NodeId::UNKNOWN);
        let cleared = |written: &Vec<SystemClearance>| {
            let read =
                written.iter().filter_map(|one| Some((one.compile(&policy)?, one.written())));
            let (compiled, written): (Vec<_>, Vec<_>) = read.unzip();
            Cleared { compiled, written: Arc::new(written) }
        };
        let systems =
            clearances.iter().map(|(id, written)| (id.clone(), cleared(written))).collect();
        Self { policy, home, here, systems }
    }

    /// The refusal of new messages when the time of the catalogue or of the federation file is
    /// over. What was taken before is still delivered.
    fn lapsed(&self, now: Timestamp, label: Option<&WireLabel>) -> Option<Refusal> {
        let catalogue = label.and_then(|label| self.policy.catalogue(&label.policy));
        let catalogue = catalogue.filter(|catalogue| now > catalogue.expires());
        let federation = self.policy.federation().expires().filter(|expires| now > *expires);
        let what = match (catalogue, federation) {
            (Some(catalogue), _) => format!("the catalogue {} has expired", catalogue.name()),
            (None, Some(_)) => "the federation file has expired".into(),
            (None, None) => return None,
        };
        Some(Refusal { code: Code::POLICY_EXPIRED, reasons: vec![what] })
    }

    fn way(
        &self,
        now: Timestamp,
        (header, dest): (&Header, &Ministry),
        route: Result<Route, Vec<Reason>>,
    ) -> Ruling<Way> {
        match route {
            Err(why) => Ruling::End(self.denied(&why, header, dest)),
            Ok(Route::Hold(_, missing)) => self.wait_for(missing, header),
            Ok(Route::Arrived(terms)) => Ruling::Go(Way { hop: Hop::Here, terms }),
            Ok(Route::Forward(next, terms)) if self.policy.may_leave(&terms, now) => {
                match self.domain(next) {
                    Some(peer) => Ruling::Go(Way { hop: Hop::Peer(peer), terms }),
                    None => Ruling::End(Refusal::bare(Code::NO_ROUTE)),
                }
            }
            Ok(Route::Forward(..)) => Ruling::Wait(Need::Later),
        }
    }

    /// Whether a message in custody may still go to a peer, or to its recipient's system.
    pub(crate) fn still_allows(
        &self,
        now: Timestamp,
        case: &Case<'_>,
        next: Option<&Ministry>,
    ) -> Ruling<Obligations> {
        let next = next.map(|next| self.node(next));
        let decide = |facts: Facts<'_>| self.policy.decide(now, &Facts { next, ..facts });
        match self.with_facts(case, false, decide) {
            Decision::Permit(terms) if next.is_none() || self.policy.may_leave(&terms, now) => {
                Ruling::Go(terms)
            }
            Decision::Permit(_) => Ruling::Wait(Need::Later),
            Decision::Hold(_, missing) => self.wait_for(missing, case.header),
            Decision::Deny(reasons) => {
                Ruling::End(withdrawn(self.denied(&reasons, case.header, case.dest)))
            }
        }
    }

    /// A denial, with what is wrong with its seal.
    fn denied(&self, why: &[Reason], header: &Header, dest: &Ministry) -> Refusal {
        sealed::denied(self.policy.federation(), refuse(why), (header, dest))
    }

    /// Waits for people, if they can ever read it.
    fn wait_for<T>(&self, missing: Vec<Missing>, header: &Header) -> Ruling<T> {
        match sealed::unreadable(self.policy.federation(), header) {
            Some(refusal) => Ruling::End(refusal),
            None => Ruling::Wait(Need::People(missing)),
        }
    }

    /// What would happen to a message that does not exist yet. If it may only go sealed, says so.
    pub(crate) fn ask(&self, now: Timestamp, system: &SpiffeId, question: &Question) -> Outcome {
        let permit = |seal, (size_max, approvals)| Outcome::Permit { seal, size_max, approvals };
        if let Some(refusal) = self.lapsed(now, question.label.as_ref()) {
            return Outcome::Refuse(refusal);
        }
        match self.ask_all(now, system, question, false) {
            Ok(terms) => permit(false, terms),
            Err(_) => match self.ask_all(now, system, question, true) {
                Ok(terms) => permit(true, terms),
                Err(refusal) => Outcome::Refuse(refusal),
            },
        }
    }

    /// The largest body that may go to all of them, and how many officers must release it.
    fn ask_all(
        &self,
        now: Timestamp,
        system: &SpiffeId,
        question: &Question,
        is_wanted_sealed: bool,
    ) -> Result<(u64, u32), Refusal> {
        let (mut size_max, mut approvals) = (BODY_BYTES_MAX, 0);
        let mut ministries: Vec<&Ministry> = question.to.iter().map(|a| a.ministry()).collect();
        ministries.sort_unstable();
        ministries.dedup();
        for dest in ministries {
            let is_sealed = is_wanted_sealed && self.policy.federation().has_sealing_key(dest);
            let facts = self.facts_asked(now, system, question, dest, is_sealed);
            match self.policy.next_hop(now, &facts) {
                Err(why) if is_wanted_sealed => {
                    let federation = self.policy.federation();
                    return Err(named(
                        dest,
                        sealed::denied_when_asked(federation, refuse(&why), dest),
                    ));
                }
                Err(why) => return Err(named(dest, refuse(&why))),
                Ok(Route::Arrived(terms) | Route::Forward(_, terms)) => {
                    size_max = size_max.min(terms.max_size.unwrap_or(BODY_BYTES_MAX));
                }
                Ok(Route::Hold(terms, missing)) => {
                    size_max = size_max.min(terms.max_size.unwrap_or(BODY_BYTES_MAX));
                    approvals = approvals.max(officers_needed(&missing));
                }
            }
        }
        Ok((size_max, approvals))
    }

    /// What a receiving system is to be told of the terms.
    pub(crate) fn handling(&self, terms: &Obligations) -> Handling {
        let marker = |marker: &kuriiri_policy::Marker| {
            let say = |lang| marker.text().pick(lang).to_owned();
            Marker { fi: say(Lang::Fi), sv: say(Lang::Sv), en: say(Lang::En) }
        };
        Handling {
            markers: self.policy.markers(terms).take(MARKERS_MAX).map(marker).collect(),
            onward: terms.onward,
            retain_max: terms.retain_max,
            retain_min: terms.retain_min,
        }
    }

    /// Until when a message may live here: by its header, by the rules, by the limit; and, once
    /// it has arrived, as long as it may be kept.
    pub(crate) fn lifetime(&self, now: Timestamp, header: &Header, way: &Way) -> Timestamp {
        let life = lifetime(header, way.terms.ttl);
        match (way.hop == Hop::Here, way.terms.retain_max) {
            (true, Some(kept)) => life.min(now.after(kept)),
            (true, None) | (false, _) => life,
        }
    }

    /// Until when a message may wait for people: it never expires later than the limit.
    pub(crate) fn deadline(&self, now: Timestamp, case: &Case<'_>) -> Timestamp {
        let hold = |facts: Facts<'_>| self.policy.next_hop(now, &facts);
        match self.with_facts(case, false, hold) {
            Ok(Route::Hold(terms, _) | Route::Arrived(terms) | Route::Forward(_, terms)) => {
                lifetime(case.header, terms.ttl)
            }
            Err(_) => lifetime(case.header, None),
        }
    }

    /// Whether relays that had a message one after the other, and this one after them, are members that are
    /// linked with each other.
    pub(crate) fn is_way(&self, path: &[Ministry]) -> bool {
        let nodes = path.iter().map(|ministry| self.node(ministry));
        let ends = nodes.clone().skip(1).chain([self.here]);
        nodes.zip(ends).all(|(one, next)| self.policy.federation().linked(one, next))
    }

    /// Whether a relay can say what became of a copy for a ministry: that of the ministry, or a hub, which may be
    /// on the way.
    pub(crate) fn may_speak_of(&self, issuer: &Ministry, dest: &Ministry) -> bool {
        let node = self.policy.federation().get(self.node(issuer));
        issuer == dest || node.is_some_and(Node::is_transit)
    }

    /// The next relay on the way of a receipt.
    pub(crate) fn receipt_hop(&self, to: &Ministry) -> Option<Ministry> {
        let hop = self.policy.federation().hop_by_links(self.here, self.node(to))?;
        self.domain(hop)
    }

    // === facts ===

    /// Everything that is known of a message, for as long as it is looked at.
    fn with_facts<R>(
        &self,
        case: &Case<'_>,
        originating: bool,
        look: impl FnOnce(Facts<'_>) -> R,
    ) -> R {
        let (header, path) = (case.header, self.path(case));
        let origin = self.node(header.from.ministry());
        let roles: Vec<Vec<&str>> = case.releases.iter().map(roles_of).collect();
        let releases = case.releases.iter().zip(&roles);
        let approvals: Vec<Approval<'_>> =
            releases.map(|(release, roles)| approval(origin, release, roles)).collect();
        look(Facts {
            prev: case.path.last().map(|peer| self.node(peer)),
            dest: self.node(case.dest),
            path: path.0.get(..path.1).unwrap_or_default(),
            label: header.label.as_ref(),
            originating,
            person: case.submitter.and_then(|system| self.clearances(system)),
            sealed: self.policy.federation().check_seal(header, case.dest).is_ok(),
            size: header.body_size,
            created: header.created,
            expires: header.expires,
            precedence: header.precedence,
            message_type: header.message_type,
            digest: Some(case.subject),
            approvals: &approvals,
            drafter: header.drafter.as_deref(),
            ..self.blank(origin)
        })
    }

    fn facts_asked<'a>(
        &'a self,
        now: Timestamp,
        system: &SpiffeId,
        question: &'a Question,
        dest: &Ministry,
        sealed: bool,
    ) -> Facts<'a> {
        Facts {
            dest: self.node(dest),
            label: question.label.as_ref(),
            originating: true,
            person: self.clearances(system),
            sealed,
            size: question.size,
            created: now,
            precedence: question.precedence,
            ..self.blank(self.here)
        }
    }

    /// The rules in force.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The same, to be kept.
    pub(crate) fn shared_policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy)
    }

    fn clearances(&self, system: &SpiffeId) -> Option<&[Clearance]> {
        self.systems.get(system).map(|cleared| cleared.compiled.as_slice())
    }

    /// What a system is cleared for, as the log keeps it, if that is less than its ministry.
    pub(crate) fn written_clearances(
        &self,
        system: &SpiffeId,
    ) -> Option<Arc<Vec<LoggedClearance>>> {
        self.systems.get(system).map(|cleared| Arc::clone(&cleared.written))
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

/// What a message is refused for that would need people, where it cannot wait for them.
pub(crate) fn refusal_of_missing(missing: &[Missing]) -> Refusal {
    refuse(&missing.iter().cloned().map(Reason::Missing).collect::<Vec<_>>())
}

/// How many officers must release it, by what is missing.
pub(crate) fn officers_needed(missing: &[Missing]) -> u32 {
    let needed = missing.iter().map(|missing| match missing {
        Missing::Approvals { need, .. } => u32::try_from(*need).unwrap_or(u32::MAX),
        Missing::ApproverRole(_) => 1,
        Missing::OriginatorConsent => 0,
    });
    needed.max().unwrap_or(0)
}

/// How many of them have, if officers are missing and not just a role.
pub(crate) fn officers_counted(missing: &[Missing]) -> Option<u32> {
    missing.iter().find_map(|missing| match missing {
        Missing::Approvals { have, .. } => u32::try_from(*have).ok(),
        Missing::ApproverRole(_) | Missing::OriginatorConsent => None,
    })
}

fn refuse(reasons: &[Reason]) -> Refusal {
    let say = |reason: &Reason| format!("{}: {}", reason.code(), reason.text(Lang::En));
    Refusal { code: kuriiri_policy::coarse(reasons), reasons: reasons.iter().map(say).collect() }
}

/// What was allowed before and is not any more.
fn withdrawn(refusal: Refusal) -> Refusal {
    match refusal.code {
        Code::POLICY => Refusal { code: Code::WITHDRAWN, ..refusal },
        _ => refusal,
    }
}

/// A refusal that says which ministry it is about.
pub(crate) fn named(dest: &Ministry, refusal: Refusal) -> Refusal {
    let reasons = refusal.reasons.iter().map(|reason| format!("{dest}: {reason}")).collect();
    Refusal { reasons, ..refusal }
}

fn lifetime(header: &Header, ttl: Option<Duration>) -> Timestamp {
    let limit = header.created.after(ttl.unwrap_or(Duration::MAX).min(MESSAGE_TTL_MAX));
    header.expires.map_or(limit, |expires| expires.min(limit))
}

fn approval<'a>(node: NodeId, release: &'a Release, roles: &'a [&'a str]) -> Approval<'a> {
    let Release { officer, subject, until, .. } = release;
    Approval { officer, node, digest: *subject, until: *until, roles }
}

fn roles_of(release: &Release) -> Vec<&str> {
    release.roles.iter().map(String::as_str).collect()
}

#[cfg(test)]
mod tests;
