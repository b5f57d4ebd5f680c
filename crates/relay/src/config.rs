//! `relay.toml`: read once, checked whole, before a socket opens.

mod files;
mod logs;
mod raw;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use kuriiri_engine::{Retention, SignedSet, SystemClearance};
use kuriiri_merkle::digest;
use kuriiri_policy::{Federation, Node, Policy};
use kuriiri_seal::Authorities;
use kuriiri_tlog::{NoteSigner, nth_log_origin};
use kuriiri_transport::{Identity, KeyAgreement, Trust};
use kuriiri_types::{
    Address, Code, FileInForce, Fingerprint, Ministry, PolicyInForce, SpiffeId, SpiffeRole,
    Timestamp,
};
use kuriiri_wire::{admin::Lapse, limits::STATUS_ENTRIES_MAX};
use tokio::task::JoinSet;

use crate::{
    acceptance::{check_signatures, check_start},
    clock,
    error::ConfigError,
    lapses::Ending,
    names::Names,
    record::{ListsOf, Record},
    signed::{Compiled, FileVersion, Part, SignedFile, SignedFiles, Signers},
};
use files::{Believed, Folder};
use logs::Logs;
use raw::{RawClearance, RawConfig};

/// A relay's configuration, every part of it checked. Only [`Config::load`] makes one.
pub struct Config {
    /// Where it was read.
    pub(crate) file: PathBuf,
    pub(crate) ministry: Ministry,
    pub(crate) name: String,
    pub(crate) listen: SocketAddr,
    pub(crate) state: PathBuf,
    pub(crate) identity: Identity,
    pub(crate) logs: Logs,
    /// How long headers are kept beside the log.
    pub(crate) retention: Retention,
    pub(crate) trust: Trust,
    pub(crate) authorities: Authorities,
    pub(crate) key_agreement: KeyAgreement,
    pub(crate) segmentation_offload: bool,
    pub(crate) signed: SignedFiles,
    pub(crate) signers: Signers,
    /// Of those whose signatures on the files count.
    pub(crate) certificates: BTreeMap<Fingerprint, Bytes>,
    pub(crate) versions: Vec<FileVersion>,
    pub(crate) record: Record,
    /// The revocation lists of every member.
    pub(crate) lists: Vec<ListsOf>,
    pub(crate) lapses: Vec<Lapse>,
    pub(crate) read_at: Timestamp,
    pub(crate) policy: Arc<Policy>,
    pub(crate) federation_serial: u64,
    pub(crate) systems: BTreeMap<SpiffeId, BTreeSet<Address>>,
    pub(crate) clearances: BTreeMap<SpiffeId, Vec<SystemClearance>>,
    pub(crate) officers: BTreeMap<SpiffeId, BTreeSet<String>>,
    /// Where the relays of peers listen, as `host:port`; looked up when they are dialled.
    pub(crate) peers: HashMap<Ministry, Vec<String>>,
}

impl Config {
    /// Reads a `relay.toml` and everything that it names. Paths in it are relative to its folder.
    /// Nothing is written and no socket is opened.
    ///
    /// Signed files are held against the record of those that were in force when the relay ran
    /// last, if it did: older ones are refused, and newer ones that came in while it was down must
    /// be signed by two persons, for nobody can compare them any more. So are revocation lists: an older one, or
    /// none where there was one, is refused.
    ///
    /// # Errors
    /// The file, the place in it, and what is wrong; unknown keys with the nearest known one.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let config = Self::read(file, None)?;
        check_start(
            &config.file,
            &config.signed,
            &config.versions,
            &config.record,
            &config.signers,
        )?;
        Ok(config)
    }

    /// The same with other signed files than those on disk, and not yet held against anything.
    pub(crate) fn read(file: &Path, signed: Option<SignedFiles>) -> Result<Self, ConfigError> {
        let folder = Folder::of(file);
        let raw: RawConfig = folder.toml(file)?;
        let wrong = |what: String| ConfigError::new(file, Code::CONFIG, what);
        let relay = own_id(&raw, SpiffeRole::Relay, &raw.relay).map_err(wrong)?;
        let read_at = clock::now();
        let (identity, own) = folder.identity(&raw.tls, &relay, read_at)?;
        let state = folder.path(&raw.state);
        let record = Record::load(&state)?;
        let signers = folder.signers(&raw)?;
        let signed = signed.map_or_else(|| folder.signed(&raw, &record), Ok)?;
        let certificates = check_signatures(&signed, &signers)?;
        let Compiled { policy, versions } = signed.compile()?;
        let federation = policy.federation();
        let node = own_node(federation, &raw.ministry)
            .ok_or_else(|| wrong(format!("{} is not in the federation file", raw.ministry)))?;
        let peers = peers(federation, node);
        let Believed { trust, authorities, lists } = folder.trust(federation, &raw, &record)?;
        let logs = folder.logs(federation, &raw)?;
        let retention = retention(&raw, &policy).map_err(wrong)?;
        let federation_serial = federation.serial();
        let ending = Ending {
            ministry: &raw.ministry,
            configuration: file,
            own: &own,
            federation,
            lists: &lists,
            signed: &signed,
            versions: &versions,
            signers: &signers,
        };
        let lapses = ending.all(read_at)?;
        let systems = systems(&raw).map_err(wrong)?;
        let clearances = clearances(&raw, &policy).map_err(wrong)?;
        Ok(Self {
            file: file.to_owned(),
            listen: raw.listen,
            state,
            key_agreement: raw.key_agreement.into(),
            segmentation_offload: raw.segmentation_offload,
            officers: officers(&raw).map_err(wrong)?,
            ministry: raw.ministry,
            name: raw.relay,
            identity,
            logs,
            retention,
            trust,
            authorities,
            signed,
            signers,
            certificates,
            versions,
            record,
            lists,
            lapses,
            read_at,
            policy: Arc::new(policy),
            federation_serial,
            systems,
            clearances,
            peers,
        })
    }

    /// The signed files with their bytes and their signatures, in the order of kind and name, as the
    /// log has them. It gets them when a file is another than before: signatures alone that are others
    /// put nothing else in force, and are not written.
    pub(crate) fn signed_set(&self) -> SignedSet {
        let mut files: Vec<_> = self.signed.0.iter().zip(&self.versions).collect();
        files.sort_by_key(|(file, _)| (file.part.kind().as_str(), file.name()));
        let in_force = |(file, version): &(&SignedFile, &FileVersion)| FileInForce {
            kind: file.part.kind(),
            name: version.name.clone(),
            serial: version.serial,
            digest: version.digest,
            signatures: digest(file.signatures.as_bytes()),
            is_own: file.part == Part::LocalRules,
        };
        let contents = files.iter().map(|(file, _)| file.text.clone().into()).collect();
        let signatures = files.iter().map(|(file, _)| file.signatures.clone().into()).collect();
        let certificates = self.certificates.values().cloned().collect();
        let files = files.iter().map(in_force).collect();
        let policy = PolicyInForce { files, by: None };
        SignedSet { policy, contents, signatures, certificates }
    }

    /// The record of what is in force when this configuration is.
    pub(crate) fn recorded(&self) -> Record {
        self.record.with(&self.versions, &self.lists)
    }

    /// What signs the ministry's log of this number.
    pub(crate) fn log_signer(&self, number: u32) -> Result<NoteSigner, ConfigError> {
        let name = nth_log_origin(&self.ministry, number).parse();
        let unfit = |error| ConfigError::new(&self.file, Code::LOG_KEY, error);
        name.map(|name| self.logs.signer.renamed(name)).map_err(unfit)
    }

    /// Whose relay it is.
    pub fn ministry(&self) -> &Ministry {
        &self.ministry
    }

    /// Where it will listen.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Where its state is.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The relays that it has a direct link with.
    pub fn peers(&self) -> impl Iterator<Item = &Ministry> {
        self.peers.keys()
    }

    /// Which endpoints of peers no address is found for now, and why. It is no fault of the configuration: they
    /// are looked up again whenever they are dialled.
    pub async fn unresolved(&self) -> Vec<String> {
        let mut looking = JoinSet::new();
        let names = Names::new();
        for (peer, endpoints) in &self.peers {
            for endpoint in endpoints {
                let (names, peer, endpoint) = (names.clone(), peer.clone(), endpoint.clone());
                looking.spawn(async move {
                    let found = names.resolve(&endpoint).await;
                    found.err().map(|error| format!("{peer}: {error}"))
                });
            }
        }
        let mut unresolved: Vec<String> = looking.join_all().await.into_iter().flatten().collect();
        unresolved.sort();
        unresolved
    }

    /// What of it has an end: certificates, authorities, revocation lists, signed files and who signed them; what ends
    /// first first.
    pub fn lapses(&self) -> &[Lapse] {
        &self.lapses
    }

    /// When it was read.
    pub fn read_at(&self) -> Timestamp {
        self.read_at
    }

    /// The officers who may release messages.
    pub fn officers(&self) -> impl Iterator<Item = &SpiffeId> {
        self.officers.keys()
    }

    /// The systems that it serves.
    pub fn systems(&self) -> impl Iterator<Item = &SpiffeId> {
        self.systems.keys()
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Config");
        debug.field("ministry", &self.ministry).field("listen", &self.listen);
        debug.finish_non_exhaustive()
    }
}

fn own_id(raw: &RawConfig, role: SpiffeRole, name: &str) -> Result<SpiffeId, String> {
    SpiffeId::new(raw.ministry.clone(), role, name).map_err(|error| error.to_string())
}

fn systems(raw: &RawConfig) -> Result<BTreeMap<SpiffeId, BTreeSet<Address>>, String> {
    let mut systems = BTreeMap::new();
    for system in &raw.system {
        let id = own_id(raw, SpiffeRole::System, &system.name)?;
        if systems.insert(id, checked_addresses(&raw.ministry, system)?).is_some() {
            return Err(format!("system `{}` is there twice", system.name));
        }
    }
    Ok(systems)
}

/// The clearances of systems that have less than their ministry. Names that no catalogue knows are
/// refused here; a system whose clearance a later catalogue cannot read has none.
fn clearances(
    raw: &RawConfig,
    policy: &Policy,
) -> Result<BTreeMap<SpiffeId, Vec<SystemClearance>>, String> {
    let mut clearances = BTreeMap::new();
    for system in &raw.system {
        let Some(held) = &system.clearance else { continue };
        let clearance = |held: &RawClearance| SystemClearance {
            policy: held.policy.clone(),
            levels: held.levels.clone(),
            grants: held.grants.clone(),
        };
        let held: Vec<SystemClearance> = held.iter().map(clearance).collect();
        if let Some(unknown) = held.iter().find(|held| held.compile(policy).is_none()) {
            let under = &unknown.policy;
            return Err(format!(
                "system `{}`: no catalogue knows its clearance under `{under}`",
                system.name
            ));
        }
        clearances.insert(own_id(raw, SpiffeRole::System, &system.name)?, held);
    }
    Ok(clearances)
}

/// For good if nothing is said.
fn retention(raw: &RawConfig, policy: &Policy) -> Result<Retention, String> {
    let Some(raw) = &raw.log.retention else { return Ok(Retention::default()) };
    let labels = raw.label.iter().map(|one| (one.policy.clone(), one.level.clone(), one.days));
    Retention::new(raw.days, labels, policy).map_err(|what| format!("log.retention: {what}"))
}

fn officers(raw: &RawConfig) -> Result<BTreeMap<SpiffeId, BTreeSet<String>>, String> {
    let mut officers = BTreeMap::new();
    for officer in &raw.officer {
        let id = own_id(raw, SpiffeRole::Officer, &officer.name)?;
        if officers.insert(id, officer.roles.clone()).is_some() {
            return Err(format!("officer `{}` is there twice", officer.name));
        }
    }
    Ok(officers)
}

fn own_node<'a>(federation: &'a Federation, ministry: &Ministry) -> Option<&'a Node> {
    federation.by_domain(ministry).and_then(|node| federation.get(node))
}

/// The relays with a direct link to ours, and where they listen.
fn peers(federation: &Federation, own: &Node) -> HashMap<Ministry, Vec<String>> {
    let Some(here) = federation.by_id(own.id()) else { return HashMap::new() };
    let mut peers = HashMap::new();
    for (there, node) in federation.nodes() {
        let Some(domain) = node.domain().filter(|_| there != here) else { continue };
        if federation.linked(here, there) && !node.endpoints().is_empty() {
            peers.insert(domain.clone(), node.endpoints().to_vec());
        }
    }
    peers
}

fn checked_addresses(
    ministry: &Ministry,
    system: &raw::RawSystem,
) -> Result<BTreeSet<Address>, String> {
    match system.addresses.iter().find(|address| address.ministry() != ministry) {
        Some(foreign) => Err(format!("`{foreign}` is not an address of {ministry}")),
        None if system.addresses.is_empty() => {
            Err(format!("system `{}` has no address", system.name))
        }
        // What it is told names each of them.
        None if system.addresses.len() > STATUS_ENTRIES_MAX => {
            let (name, count) = (&system.name, system.addresses.len());
            Err(format!("system `{name}` has {count} addresses, and may have {STATUS_ENTRIES_MAX}"))
        }
        None => Ok(system.addresses.iter().cloned().collect()),
    }
}
