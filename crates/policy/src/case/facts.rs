//! Facts written down as a case, and a case put to a policy.

use std::time::Duration;

use kuriiri_types::Timestamp;

use super::{Case, CaseAlternative, CaseApproval, CaseClearance};
use crate::{
    clearance::Clearance,
    decide::Decision,
    facts::{Alternative, Approval, Facts},
    nearest::UnknownNode,
    node_id::NodeId,
    policy::Policy,
};

/// A name that no node has: it stands for a node that the federation did not know.
const NOBODY: &str = "?";

impl Case {
    /// Writes facts down. Nodes that the federation does not know become a name that none has.
    pub fn of(policy: &Policy, now: Timestamp, facts: &Facts<'_>) -> Self {
        let name = |node| policy.federation().get(node).map_or(NOBODY, |node| node.id()).to_owned();
        let approval = |approval: &Approval<'_>| CaseApproval {
            officer: approval.officer.into(),
            node: name(approval.node),
            digest: approval.digest,
            until: approval.until,
            roles: approval.roles.iter().map(|role| (*role).to_owned()).collect(),
        };
        let alternative = |alternative: &Alternative<'_>| CaseAlternative {
            label: alternative.label.clone(),
            signer: alternative.signer.into(),
        };
        Self {
            now,
            at: name(facts.at),
            origin: name(facts.origin),
            prev: facts.prev.map(name),
            next: facts.next.map(name),
            dest: name(facts.dest),
            path: facts.path.iter().copied().map(name).collect(),
            verified: facts.verified,
            label: facts.label.cloned(),
            alternatives: facts.alternatives.iter().map(alternative).collect(),
            originating: facts.originating,
            person: facts.person.map(|held| held.iter().map(|c| policy.written(c)).collect()),
            sealed: facts.sealed,
            size: facts.size,
            created: facts.created,
            expires: facts.expires,
            precedence: facts.precedence,
            message_type: facts.message_type,
            skew_ms: u64::try_from(facts.skew.as_millis()).unwrap_or(u64::MAX),
            digest: facts.digest,
            approvals: facts.approvals.iter().map(approval).collect(),
            drafter: facts.drafter.map(Into::into),
            onward: facts.onward,
            consent: facts.consent,
        }
    }

    /// Hands the facts, rebuilt under a policy, to `ask`. Names that it does not know are nodes
    /// that it does not know; what it does not know of a person's clearance grants nothing.
    pub fn with<R>(&self, policy: &Policy, ask: impl FnOnce(&Facts<'_>) -> R) -> R {
        let node = |name: &String| policy.named(name).unwrap_or(NodeId::UNKNOWN);
        let path: Vec<NodeId> = self.path.iter().map(node).collect();
        let person = self.person.as_ref();
        let person: Option<Vec<Clearance>> = person
            .map(|held| held.iter().filter_map(|entry| policy.read_clearance(entry)).collect());
        let roles: Vec<Vec<&str>> = self.approvals.iter().map(CaseApproval::roles).collect();
        let approvals = self.approvals.iter().zip(&roles);
        let approvals: Vec<Approval<'_>> = approvals
            .map(|(approval, roles)| approval.with_roles(roles, node(&approval.node)))
            .collect();
        let alternatives: Vec<_> = self.alternatives.iter().map(CaseAlternative::as_fact).collect();
        ask(&Facts {
            at: node(&self.at),
            origin: node(&self.origin),
            prev: self.prev.as_ref().map(node),
            next: self.next.as_ref().map(node),
            dest: node(&self.dest),
            path: &path,
            verified: self.verified,
            label: self.label.as_ref(),
            alternatives: &alternatives,
            originating: self.originating,
            person: person.as_deref(),
            sealed: self.sealed,
            size: self.size,
            created: self.created,
            expires: self.expires,
            precedence: self.precedence,
            message_type: self.message_type,
            skew: Duration::from_millis(self.skew_ms),
            digest: self.digest,
            approvals: &approvals,
            drafter: self.drafter.as_deref(),
            onward: self.onward,
            consent: self.consent,
        })
    }

    /// The decision that a policy takes on it.
    pub fn decide(&self, policy: &Policy) -> Decision {
        self.with(policy, |facts| policy.decide(self.now, facts))
    }

    /// Holds every name of a node against the federation: a decision would deny what is misspelt
    /// just as what is forbidden.
    ///
    /// # Errors
    /// The first name that no node has, with those that look like it.
    pub fn check_names(&self, policy: &Policy) -> Result<(), UnknownNode> {
        let named = [&self.origin, &self.dest, &self.at].into_iter();
        let mut all = named.chain(&self.prev).chain(&self.next).chain(&self.path);
        all.try_for_each(|name| policy.require_node(name).map(|_| ()))
    }
}

impl CaseAlternative {
    fn as_fact(&self) -> Alternative<'_> {
        Alternative { label: &self.label, signer: &self.signer }
    }
}

impl CaseApproval {
    fn roles(&self) -> Vec<&str> {
        self.roles.iter().map(String::as_str).collect()
    }

    /// The approval with its [`roles`](Self::roles) and the node that its name stands for.
    fn with_roles<'a>(&'a self, roles: &'a [&'a str], node: NodeId) -> Approval<'a> {
        let Self { officer, digest, until, .. } = self;
        Approval { officer, node, digest: *digest, until: *until, roles }
    }
}

impl Policy {
    /// A clearance by names. Groups stand in it as values of their own.
    fn written(&self, clearance: &Clearance) -> CaseClearance {
        let catalogue = self.catalogues().iter().find(|c| c.key == clearance.catalogue);
        let levels = catalogue.iter().flat_map(|c| c.levels_in(clearance.levels));
        CaseClearance {
            policy: catalogue.map_or(NOBODY, |c| c.id()).into(),
            levels: levels.map(Into::into).collect(),
            grants: catalogue.map_or_else(Vec::new, |c| c.written(clearance.grants)),
        }
    }

    pub(crate) fn read_clearance(&self, written: &CaseClearance) -> Option<Clearance> {
        let catalogue = self.catalogue(&written.policy)?;
        let known = |level: &&String| catalogue.level_names.find(level).is_some();
        let levels: Vec<&String> = written.levels.iter().filter(known).collect();
        let known = |grant: &&String| catalogue.find_value(grant).is_some();
        let grants: Vec<&String> = written.grants.iter().filter(known).collect();
        catalogue.clearance(&levels, &grants).ok()
    }
}
