//! Whom to believe about an entry: what was in force and known when it was written.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

use bytes::Bytes;
use kuriiri_merkle::digest;
use kuriiri_policy::{FILE_BYTES_MAX, Federation};
use kuriiri_seal::{Authorities, PinnedSigners, Verifier};
use kuriiri_tlog::{
    KeyName, LogKeys, POLICY_BYTES_MAX, ReceiptVerifier, Trust, VerifierKey, log_origin,
};
use kuriiri_types::{Digest, Fingerprint, Ministry, Timestamp};

use crate::{
    folder::{FolderError, read_limited},
    rules::{InForce, SharedRules},
};

/// Whom the auditor believes, whatever a log says.
#[derive(Debug, Clone)]
pub struct Anchors {
    /// Logs, witnesses and quorum.
    pub trust: Trust,
    /// Federation files that the auditor believes, each for the time in which it was in force.
    pub(crate) pinned: Vec<PinnedFederation>,
    /// The certificates (SHA-256 of the DER) of those who may sign the files of the federation.
    pub(crate) stewards: HashSet<Fingerprint>,
}

/// A federation file that the auditor believes.
#[derive(Debug, Clone)]
pub(crate) struct PinnedFederation {
    digest: Digest,
    federation: Federation,
}

impl PinnedFederation {
    /// SHA-256 of its exact bytes.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    pub(crate) fn federation(&self) -> &Federation {
        &self.federation
    }
}

impl Anchors {
    /// Reads the auditor's policy file (C2SP `tlog-policy`).
    ///
    /// # Errors
    /// When the file cannot be read or is not what it should be.
    pub fn read(policy: &Path) -> Result<Self, FolderError> {
        let bytes = read_limited(policy, POLICY_BYTES_MAX as u64)?;
        let trust = Trust::parse(&bytes);
        let trust = trust.map_err(|error| FolderError::form(policy, error.to_string()))?;
        Ok(Self { trust, pinned: Vec::new(), stewards: HashSet::new() })
    }

    /// Believes a federation file too. Authorities and keys change with it, so the auditor of a long time
    /// gives every one that was in force in it: what was signed under another is said to be unchecked.
    ///
    /// # Errors
    /// When the file cannot be read or is no federation file.
    pub fn with_federation(mut self, path: &Path) -> Result<Self, FolderError> {
        let wrong = |what: String| FolderError::form(path, what);
        let bytes = read_limited(path, FILE_BYTES_MAX as u64)?;
        let digest = digest(&bytes);
        let text = String::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
        let federation = Federation::parse(&text).map_err(|error| wrong(error.to_string()))?;
        self.pinned.push(PinnedFederation { digest, federation });
        Ok(self)
    }

    /// Believes that the holders of the certificates in a PEM file may sign the files of the federation.
    ///
    /// # Errors
    /// When the file cannot be read, or a certificate in it is not an officer's for signing documents.
    pub fn with_stewards(mut self, path: &Path) -> Result<Self, FolderError> {
        let wrong = |what: String| FolderError::form(path, what);
        let bytes = read_limited(path, FILE_BYTES_MAX as u64)?;
        let text = String::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
        let mut signers = PinnedSigners::new();
        signers.add(&text).map_err(|error| wrong(error.to_string()))?;
        self.stewards.extend(signers.certificates());
        Ok(self)
    }
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

    /// Looks at all that were shown so far.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&HashMap<Fingerprint, (u64, Bytes)>) -> R) -> R {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
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
    /// The same by the federation file alone: where the auditor's policy has another key.
    pub(crate) receipts_by_file: ReceiptVerifier,
    /// By origin of the first log of each ministry.
    logs: LogKeys,
    members: HashSet<Ministry>,
    witnesses: HashMap<Ministry, VerifierKey>,
}

impl Keys {
    /// The keys of this federation; of all that the auditor believes where none is named.
    pub(crate) fn of(federation: Option<&Federation>, anchors: &Anchors) -> Self {
        let (mut authorities, mut logs) = (Authorities::new(), LogKeys::new());
        let (mut members, mut witnesses) = (HashSet::new(), HashMap::new());
        let pinned = anchors.pinned.iter().map(PinnedFederation::federation);
        let pinned = pinned.filter(|_| federation.is_none());
        let federations = federation.into_iter().chain(pinned);
        for (_, node) in federations.flat_map(|federation| federation.nodes()) {
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
        let receipts_by_file = ReceiptVerifier::new(logs.clone());
        for log in anchors.trust.logs() {
            // A log that is no ministry's issues no receipts.
            let _ = logs.add(log.key());
        }
        Self {
            verifier: Verifier::new(authorities),
            receipts: ReceiptVerifier::new(logs.clone()),
            receipts_by_file,
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
    /// The keys before these, and when they changed: what was verified a moment before is written after.
    pub(crate) before: Option<(Timestamp, Arc<Keys>)>,
}

impl Trusted {
    /// Before anything was said.
    pub(crate) fn first(home: Ministry, anchors: &Anchors) -> Self {
        Self {
            home,
            keys: Arc::new(Keys::of(None, anchors)),
            rules: Arc::new(InForce::nothing()),
            certificates: Arc::new(Certificates::default()),
            before: None,
        }
    }
}

/// Changes that are remembered; the oldest go.
const HISTORY_MAX: usize = 1024;
/// Sets of rules among them, each some times as large as its files, which a log could change again and
/// again.
const RULES_MAX: usize = 64;

/// What was in force from which entry on.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrustHistory(VecDeque<(u64, Timestamp, Arc<Trusted>)>);

impl TrustHistory {
    pub(crate) fn push(&mut self, (from, at): (u64, Timestamp), trusted: Arc<Trusted>) {
        let is_new = self.0.iter().all(|(_, _, known)| !Arc::ptr_eq(&known.rules, &trusted.rules));
        let rules: HashSet<_> = self.0.iter().map(|(_, _, one)| Arc::as_ptr(&one.rules)).collect();
        if self.0.len() >= HISTORY_MAX || (is_new && rules.len() >= RULES_MAX) {
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
