//! Whom to believe about an entry: what was in force and known when it was written.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

use bytes::Bytes;
use kuriiri_merkle::digest;
use kuriiri_policy::{FILE_BYTES_MAX, Federation};
use kuriiri_seal::{Authorities, Verifier};
use kuriiri_tlog::{
    KeyName, LogKeys, POLICY_BYTES_MAX, ReceiptVerifier, Trust, VerifierKey, log_origin,
};
use kuriiri_types::{Fingerprint, Ministry, Timestamp};

use crate::{
    folder::{FolderError, read_limited},
    rules::{InForce, SharedRules},
};

/// Whom the auditor believes, whatever a log says.
#[derive(Debug, Clone)]
pub struct Anchors {
    /// Logs, witnesses and quorum.
    pub trust: Trust,
    /// A federation file that counts instead of those in the log, if the auditor has one.
    pub pinned: Option<Federation>,
}

impl Anchors {
    /// Reads the auditor's policy file (C2SP `tlog-policy`), and a federation file if there is one.
    ///
    /// # Errors
    /// When a file cannot be read or is not what it should be.
    pub fn read(policy: &Path, federation: Option<&Path>) -> Result<Self, FolderError> {
        let bytes = read_limited(policy, POLICY_BYTES_MAX as u64)?;
        let trust = Trust::parse(&bytes);
        let trust = trust.map_err(|error| FolderError::form(policy, error.to_string()))?;
        let pinned = federation.map(read_federation).transpose()?;
        Ok(Self { trust, pinned })
    }
}

fn read_federation(path: &Path) -> Result<Federation, FolderError> {
    let bytes = read_limited(path, FILE_BYTES_MAX as u64)?;
    let text = String::from_utf8(bytes);
    let text = text.map_err(|error| FolderError::form(path, error.to_string()))?;
    Federation::parse(&text).map_err(|error| FolderError::form(path, error.to_string()))
}

/// The certificates that a log has shown, by fingerprint, with the entry that shows them. It grows
/// with the number of signers, some 600 bytes each.
#[derive(Debug, Default)]
pub(crate) struct Certificates(RwLock<HashMap<Fingerprint, (u64, Bytes)>>);

impl Certificates {
    pub(crate) fn add(&self, index: u64, der: &Bytes) -> Fingerprint {
        let name = digest(der);
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // A slice would keep its whole bundle in memory.
        held.entry(name).or_insert_with(|| (index, Bytes::copy_from_slice(der)));
        name
    }

    /// The certificate, if it was shown before this entry.
    pub(crate) fn before(&self, index: u64, name: Fingerprint) -> Option<Bytes> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        held.get(&name).filter(|(at, _)| *at < index).map(|(_, der)| der.clone())
    }
}

/// The keys of a federation as they are needed to verify.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) verifier: Verifier,
    pub(crate) receipts: ReceiptVerifier,
    /// By origin of the first log of each ministry.
    logs: LogKeys,
    members: HashSet<Ministry>,
    witnesses: HashMap<Ministry, VerifierKey>,
}

impl Keys {
    /// The keys of this federation, unless the auditor has pinned another.
    pub(crate) fn of(federation: Option<&Federation>, anchors: &Anchors) -> Self {
        let federation = anchors.pinned.as_ref().or(federation);
        let (mut authorities, mut logs) = (Authorities::new(), LogKeys::new());
        let (mut members, mut witnesses) = (HashSet::new(), HashMap::new());
        for (_, node) in federation.iter().flat_map(|federation| federation.nodes()) {
            let Some(domain) = node.domain() else { continue };
            members.insert(domain.clone());
            if let Some(ca) = node.ca() {
                // One that cannot be read is one that is not known.
                let _ = authorities.add(domain, ca);
            }
            // Only for the log of its own ministry, whatever name the file gives the key.
            if let Some(key) = node.log().and_then(|text| text.trim().parse::<VerifierKey>().ok())
                && let Ok(name) = log_origin(domain).parse::<KeyName>()
            {
                let own = VerifierKey::new(name, key.kind(), *key.public_key());
                let _ = logs.add(&own);
            }
            let witness = node.witness().and_then(|text| text.trim().parse().ok());
            witnesses.extend(witness.map(|key: VerifierKey| (domain.clone(), key)));
        }
        for log in anchors.trust.logs() {
            // A log that is no ministry's issues no receipts.
            let _ = logs.add(log.key());
        }
        Self {
            verifier: Verifier::new(authorities),
            receipts: ReceiptVerifier::new(logs.clone()),
            logs,
            members,
            witnesses,
        }
    }

    /// The key of a log by its origin.
    pub(crate) fn log(&self, origin: &str) -> Option<VerifierKey> {
        self.logs.find(origin).map(|(_, key)| key)
    }

    /// Whether it is a member, as far as members are known.
    pub(crate) fn is_member(&self, ministry: &Ministry) -> bool {
        self.members.is_empty() || self.members.contains(ministry)
    }

    /// The key with which a ministry's relay witnesses.
    pub(crate) fn witness(&self, ministry: &Ministry) -> Option<&VerifierKey> {
        self.witnesses.get(ministry)
    }
}

/// Everything by which an entry is judged.
#[derive(Debug, Clone)]
pub(crate) struct Trusted {
    pub(crate) home: Ministry,
    pub(crate) keys: Arc<Keys>,
    pub(crate) rules: SharedRules,
    pub(crate) certificates: Arc<Certificates>,
}

impl Trusted {
    /// Before anything was said.
    pub(crate) fn first(home: Ministry, anchors: &Anchors) -> Self {
        Self {
            home,
            keys: Arc::new(Keys::of(None, anchors)),
            rules: Arc::new(InForce::nothing()),
            certificates: Arc::new(Certificates::default()),
        }
    }
}

/// Changes that are remembered, each about as large as its files. The oldest go.
const HISTORY_MAX: usize = 1024;

/// What was in force from which entry on.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrustHistory(VecDeque<(u64, Timestamp, Arc<Trusted>)>);

impl TrustHistory {
    pub(crate) fn push(&mut self, (from, at): (u64, Timestamp), trusted: Arc<Trusted>) {
        if self.0.len() >= HISTORY_MAX {
            self.0.pop_front();
        }
        self.0.push_back((from, at, trusted));
    }

    /// What was in force at an entry, and what was before if that changed after this time only.
    pub(crate) fn lately(
        &self,
        index: u64,
        since: Timestamp,
    ) -> impl Iterator<Item = &Arc<Trusted>> {
        let after = self.0.partition_point(|(from, ..)| *from <= index);
        let known = self.0.iter().take(after).rev();
        let mut is_recent = true;
        known.map_while(move |(_, at, trusted)| {
            let counts = std::mem::replace(&mut is_recent, *at > since);
            counts.then_some(trusted)
        })
    }

    /// What was in force at an entry.
    pub(crate) fn at(&self, index: u64) -> Option<&Arc<Trusted>> {
        let after = self.0.partition_point(|(from, ..)| *from <= index);
        self.0.get(after.checked_sub(1)?).map(|(.., trusted)| trusted)
    }
}
