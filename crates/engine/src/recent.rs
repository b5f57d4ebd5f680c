//! The last decisions on messages that came in, kept in memory so that new rules can be rehearsed
//! on what really passed.

use std::{collections::VecDeque, sync::Arc};

use kuriiri_policy::Record;
use kuriiri_types::{Digest, Header, Ministry, SpiffeId, Timestamp};

use crate::{
    case::{Case, Release},
    rules::Rules,
};

/// Decisions that are remembered, some hundred bytes each. The oldest go; a relay that starts again
/// has none.
const RECENT_MAX: usize = 10_000;

/// The last decisions, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Recent(VecDeque<Entry>);

/// Everything that a decision rested on besides the rules.
#[derive(Debug)]
struct Entry {
    at: Timestamp,
    header: Arc<Header>,
    subject: Digest,
    dest: Ministry,
    path: Vec<Ministry>,
    releases: Vec<Release>,
    submitter: Option<SpiffeId>,
}

impl Recent {
    /// Remembers what was decided on.
    pub(crate) fn note(&mut self, at: Timestamp, header: Arc<Header>, case: &Case<'_>) {
        if self.0.len() >= RECENT_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Entry {
            at,
            header,
            subject: case.subject,
            dest: case.dest.clone(),
            path: case.path.to_vec(),
            releases: case.releases.to_vec(),
            submitter: case.submitter.cloned(),
        });
    }

    /// The last decisions, newest first, as the rules in force have them.
    pub(crate) fn records(&self, rules: &Rules, limit: usize) -> Vec<Record> {
        let newest = self.0.iter().rev().take(limit);
        newest.map(|entry| rules.record(entry.at, &entry.case())).collect()
    }
}

impl Entry {
    fn case(&self) -> Case<'_> {
        Case {
            header: &self.header,
            subject: self.subject,
            dest: &self.dest,
            path: &self.path,
            releases: &self.releases,
            submitter: self.submitter.as_ref(),
        }
    }
}
