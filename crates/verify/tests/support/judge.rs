//! Decisions as a relay takes them, from facts and not from a case.

use kuriiri_policy::{Approval, Decision, Facts, NodeId, SEMANTICS};
use kuriiri_types::{
    Decided, Digest, Giver, Header, LoggedRuling, Ministry, SignedApproval, Subject, Timestamp,
    limits::CLOCK_SKEW_MAX,
};
use kuriiri_wire::approval;

use super::Cast;

/// What is decided on.
pub struct Question<'a> {
    pub at: Timestamp,
    pub home: &'a Ministry,
    pub header: &'a Header,
    pub subject: Digest,
    pub dest: &'a Ministry,
    pub path: &'a [Ministry],
    pub next: Option<&'a Ministry>,
    pub giver: Option<&'a Giver>,
    pub approvals: &'a [SignedApproval],
}

impl Cast {
    pub fn decide(&self, asked: &Question<'_>) -> Decided {
        let node = |ministry: &Ministry| self.policy.node(ministry).unwrap_or(NodeId::UNKNOWN);
        let header = asked.header;
        let path: Vec<NodeId> = asked.path.iter().chain([asked.home]).map(node).collect();
        let said: Vec<_> = asked
            .approvals
            .iter()
            .map(|signed| approval::decode(&signed.approval).unwrap())
            .collect();
        let roles: Vec<Vec<&str>> =
            said.iter().map(|a| a.roles.iter().map(String::as_str).collect()).collect();
        let origin = node(header.from.ministry());
        let approvals: Vec<Approval<'_>> = said
            .iter()
            .zip(&roles)
            .map(|(said, roles)| Approval {
                officer: said.officer.name(),
                node: origin,
                digest: said.subject,
                until: said.until,
                roles,
            })
            .collect();
        let sealed = self.policy.federation().check_seal(header, asked.dest).is_ok();
        let facts = Facts {
            at: node(asked.home),
            origin,
            prev: asked.path.last().map(node),
            next: asked.next.map(node),
            dest: node(asked.dest),
            path: &path,
            verified: true,
            label: header.label.as_ref(),
            alternatives: &[],
            originating: matches!(asked.giver, Some(Giver::System(_))),
            person: None,
            sealed,
            size: header.body_size,
            created: header.created,
            expires: header.expires,
            precedence: header.precedence,
            message_type: header.message_type,
            skew: CLOCK_SKEW_MAX,
            digest: Some(asked.subject),
            approvals: &approvals,
            drafter: header.drafter.as_deref(),
            onward: false,
            consent: false,
        };
        let decision = self.policy.decide(asked.at, &facts);
        let id = |ministry| {
            self.policy.federation().get(node(ministry)).map_or("?", |node| node.id()).to_owned()
        };
        Decided {
            giver: asked.giver.cloned(),
            path: asked.path.to_vec(),
            dest: asked.dest.clone(),
            next: asked.next.map(id),
            clearances: None,
            approvals: asked.approvals.to_vec(),
            policy: self.digest(),
            semantics: SEMANTICS,
            ruling: ruling(&decision),
            reasons: decision.codes(),
            batch: None,
            keep_until: None,
            subjects: vec![Subject { message: header.id, header: asked.subject }],
        }
    }

    pub fn digest(&self) -> Digest {
        let all: Vec<u8> = self.in_force.files.iter().flat_map(|f| f.digest.0).collect();
        kuriiri_merkle::digest(&all)
    }
}

fn ruling(decision: &Decision) -> LoggedRuling {
    match decision {
        Decision::Permit(_) => LoggedRuling::Permit,
        Decision::Hold(..) => LoggedRuling::Hold,
        Decision::Deny(_) => LoggedRuling::Deny,
    }
}
