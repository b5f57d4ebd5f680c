//! What an engine is made of besides its state.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use bytes::Bytes;
use kuriiri_merkle::digest;
use kuriiri_policy::{Clearance, Policy};
use kuriiri_tlog::{Cosigner, NoteSigner};
use kuriiri_types::{
    Address, Codec, Digest, Header, LoggedClearance, Ministry, PolicyInForce, SpiffeId, SpiffeRole,
};

use crate::retention::Retention;

/// The fixed parts of a relay. Checked by the host before the engine sees it.
pub struct Config {
    /// Whose relay this is.
    pub ministry: Ministry,
    /// The transparency log.
    pub log: LogConfig,
    /// How long headers are kept beside it.
    pub retention: Retention,
    /// The signed files that `policy` was made of.
    pub files: SignedSet,
    /// Reads and writes signed bytes.
    pub codec: Arc<dyn Codec>,
    /// Catalogues, federation and rules in force.
    pub policy: Arc<Policy>,
    /// The ministry's systems and the addresses that each may send as and read from.
    pub systems: BTreeMap<SpiffeId, BTreeSet<Address>>,
    /// What a system is cleared for, if that is less than its ministry; by label policy. A system
    /// that is not here may originate whatever its ministry may.
    pub clearances: BTreeMap<SpiffeId, Vec<SystemClearance>>,
    /// The ministry's officers and the roles that each holds.
    pub officers: BTreeMap<SpiffeId, BTreeSet<String>>,
}

/// Whom a relay serves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// The ministry's systems and the addresses that each may send as and read from.
    pub systems: BTreeMap<SpiffeId, BTreeSet<Address>>,
    /// What a system is cleared for, if that is less than its ministry.
    pub clearances: BTreeMap<SpiffeId, Vec<SystemClearance>>,
    /// The ministry's officers and the roles that each holds.
    pub officers: BTreeMap<SpiffeId, BTreeSet<String>>,
}

/// What a log is made of besides its state.
pub struct LogConfig {
    /// Signs checkpoints; its name is the log's origin.
    pub signer: Arc<NoteSigner>,
    /// Cosigns the checkpoints of peers.
    pub cosigner: Arc<Cosigner>,
    /// Random bytes that nobody else knows, new at each start: salts are derived from them.
    pub secret: [u8; 32],
    /// Name and version of the program, for the entry that says that the relay started.
    pub software: String,
    /// The last checkpoint of the log that this one goes on from, if that was lost or cut back.
    pub restored: Option<Bytes>,
}

/// The signed files in force, with their bytes and signatures in the same order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignedSet {
    /// What they are.
    pub policy: PolicyInForce,
    /// Their exact bytes.
    pub contents: Vec<Bytes>,
    /// The exact bytes of the files of signatures beside them.
    pub signatures: Vec<Bytes>,
    /// The certificates (DER) of those whose signatures on them count here, each once.
    pub certificates: Vec<Bytes>,
}

impl SignedSet {
    /// By which decisions name what they rested on: SHA-256 over the digests of the files in order.
    ///
    /// Signatures are no part of it. When nothing but them changes, the same files stay in force, and
    /// the log, which shows who signed them when they came, gets nothing new.
    pub fn digest(&self) -> Digest {
        let all: Vec<u8> =
            self.policy.files.iter().flat_map(|file| *file.digest.as_bytes()).collect();
        digest(&all)
    }
}

/// A clearance of one system under one label policy, by names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemClearance {
    /// Name or OID URN of the label policy.
    pub policy: String,
    /// The levels.
    pub levels: Vec<String>,
    /// Values as `TAG:VALUE`.
    pub grants: Vec<String>,
}

impl SystemClearance {
    /// The clearance under a policy. Nothing when the policy does not know a name in it: then the
    /// system has none.
    pub fn compile(&self, policy: &Policy) -> Option<Clearance> {
        policy.catalogue(&self.policy)?.clearance(&self.levels, &self.grants).ok()
    }

    /// As the log keeps it.
    pub(crate) fn written(&self) -> LoggedClearance {
        let Self { policy, levels, grants } = self.clone();
        LoggedClearance { policy, levels, grants }
    }
}

impl Config {
    /// True when this system may send as, and read from, this address.
    pub(crate) fn may_use(&self, system: &SpiffeId, address: &Address) -> bool {
        self.systems.get(system).is_some_and(|addresses| addresses.contains(address))
    }

    /// Whether this is an officer or operator of this ministry.
    pub(crate) fn is_ours(&self, person: &SpiffeId) -> bool {
        let is_person = [SpiffeRole::Officer, SpiffeRole::Operator].contains(&person.role());
        is_person && *person.ministry() == self.ministry
    }

    /// The header's recipients here: those that have a mailbox, and those that have none.
    pub(crate) fn mailboxes(&self, header: &Header) -> (Vec<Address>, Vec<Address>) {
        let here = header.recipients_at(&self.ministry).map(|r| r.address.clone());
        here.partition(|address| self.is_mailbox(address))
    }

    /// True when this address has a mailbox here.
    pub(crate) fn is_mailbox(&self, address: &Address) -> bool {
        self.systems.values().any(|addresses| addresses.contains(address))
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("ministry", &self.ministry).finish_non_exhaustive()
    }
}

impl fmt::Debug for LogConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogConfig").field("signer", &self.signer).finish_non_exhaustive()
    }
}

/// Randomness for the engine: only ever used to spread retries, never for secrets.
pub trait Random {
    /// The next number, evenly distributed.
    fn next(&mut self) -> u64;
}
