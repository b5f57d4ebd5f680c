//! What an audit tells of a log.

use std::{collections::BTreeMap, time::Duration};

use kuriiri_tlog::Cosigned;
use kuriiri_types::Timestamp;
use serde::Serialize;

use super::gone::Gone;
use crate::{finding::Findings, folder::LogFolder, histories::Fates, timeline::Timeline};

/// What an audit of one log came to.
#[derive(Debug, Clone, Serialize)]
pub struct LogReport {
    /// Which log.
    pub origin: String,
    /// How many entries its checkpoint speaks of.
    pub size: u64,
    /// The root that it signed, in hexadecimal.
    pub root: String,
    /// The witnesses that cosigned, with their times in seconds since 1970.
    pub cosigned: Vec<(String, u64)>,
    /// Whether they are enough by the policy.
    pub quorum: bool,
    /// When the first entry was written, and the last.
    pub period: Option<(Timestamp, Timestamp)>,
    /// Entries by kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// What became of messages, one for each recipient.
    pub fates: Fates,
    /// Where the authorities of certificates were taken from.
    pub authorities: String,
    /// What was found.
    #[serde(skip)]
    pub findings: Findings,
    /// How much happened when.
    #[serde(skip)]
    pub timeline: Timeline,
    /// Entries that were read.
    pub read: u64,
    /// Messages that were decided on, once for each decision.
    pub messages: u64,
    /// Headers that are missing with leave.
    pub gone: Gone,
    /// How long it took.
    #[serde(skip)]
    pub took: Duration,
}

impl LogReport {
    /// What the checkpoint says, before an entry was read.
    pub(super) fn of(folder: &LogFolder, cosigned: Option<(Vec<Cosigned>, bool)>) -> Self {
        Self {
            origin: folder.checkpoint().origin.clone(),
            size: folder.size(),
            root: folder.checkpoint().root.to_string(),
            quorum: cosigned.as_ref().is_some_and(|(_, met)| *met),
            cosigned: names(cosigned),
            period: None,
            kinds: BTreeMap::new(),
            fates: Fates::default(),
            authorities: String::new(),
            findings: Findings::new(),
            timeline: Timeline::default(),
            read: 0,
            messages: 0,
            gone: Gone::default(),
            took: Duration::ZERO,
        }
    }

    /// Entries a second.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub fn rate(&self) -> f64 {
        self.read as f64 / self.took.as_secs_f64().max(1e-9)
    }
}

fn names(cosigned: Option<(Vec<Cosigned>, bool)>) -> Vec<(String, u64)> {
    let all = cosigned.map(|(by, _)| by).unwrap_or_default();
    all.into_iter().map(|by| (by.witness, by.time)).collect()
}
