//! `relay.toml`: read once, checked whole, before a socket opens.

mod files;
mod raw;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
    sync::Arc,
};

use kuriiri_policy::{Federation, Node, Policy};
use kuriiri_seal::{Authorities, Signer};
use kuriiri_transport::{Identity, KeyAgreement, Trust};
use kuriiri_types::{Address, Code, Ministry, SpiffeId, SpiffeRole};

use crate::error::ConfigError;
use files::Folder;
use raw::RawConfig;

/// A relay's configuration, every part of it checked. Only [`Config::load`] makes one.
pub struct Config {
    pub(crate) ministry: Ministry,
    pub(crate) name: String,
    pub(crate) listen: SocketAddr,
    pub(crate) state: PathBuf,
    pub(crate) identity: Identity,
    pub(crate) signer: Arc<Signer>,
    pub(crate) trust: Trust,
    pub(crate) authorities: Authorities,
    pub(crate) key_agreement: KeyAgreement,
    pub(crate) segmentation_offload: bool,
    pub(crate) policy: Arc<Policy>,
    pub(crate) federation_serial: u64,
    pub(crate) systems: BTreeMap<SpiffeId, BTreeSet<Address>>,
    pub(crate) peers: HashMap<Ministry, Vec<SocketAddr>>,
}

impl Config {
    /// Reads a `relay.toml` and everything that it names. Paths in it are relative to its folder.
    /// Nothing is written and no socket is opened.
    ///
    /// # Errors
    /// The file, the place in it, and what is wrong; unknown keys with the nearest known one.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let folder = Folder::of(file);
        let raw: RawConfig = folder.toml(file)?;
        let wrong = |what: String| ConfigError::new(file, Code::CONFIG, what);
        let own = |role, name: &str| {
            SpiffeId::new(raw.ministry.clone(), role, name).map_err(|e| wrong(e.to_string()))
        };

        let relay = own(SpiffeRole::Relay, &raw.relay)?;
        let identity = folder.identity(&raw.tls, &relay)?;
        let signer = folder.signer(&raw.signing, &relay)?;
        let federation = folder.federation(&raw.federation)?;
        let node = own_node(&federation, &raw.ministry)
            .ok_or_else(|| wrong(format!("{} is not in the federation file", raw.ministry)))?;
        let peers = peers(&federation, node).map_err(wrong)?;
        let (trust, authorities) = folder.trust(&federation, &raw)?;
        let federation_serial = federation.serial();
        let policy = Arc::new(folder.policy(&raw, federation)?);

        let mut systems = BTreeMap::new();
        for system in &raw.system {
            let id = own(SpiffeRole::System, &system.name)?;
            let addresses = checked_addresses(&raw.ministry, system).map_err(wrong)?;
            if systems.insert(id, addresses).is_some() {
                return Err(wrong(format!("system `{}` is there twice", system.name)));
            }
        }
        Ok(Self {
            listen: raw.listen,
            state: folder.path(&raw.state),
            key_agreement: raw.key_agreement.into(),
            segmentation_offload: raw.segmentation_offload,
            ministry: raw.ministry,
            name: raw.relay,
            identity,
            signer,
            trust,
            authorities,
            policy,
            federation_serial,
            systems,
            peers,
        })
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

fn own_node<'a>(federation: &'a Federation, ministry: &Ministry) -> Option<&'a Node> {
    federation.by_domain(ministry).and_then(|node| federation.get(node))
}

/// The relays with a direct link to ours, and where they listen.
fn peers(
    federation: &Federation,
    own: &Node,
) -> Result<HashMap<Ministry, Vec<SocketAddr>>, String> {
    let Some(here) = federation.by_id(own.id()) else { return Ok(HashMap::new()) };
    let mut peers = HashMap::new();
    for (there, node) in federation.nodes() {
        let Some(domain) = node.domain().filter(|_| there != here) else { continue };
        if federation.linked(here, there) && !node.endpoints().is_empty() {
            let addresses: Vec<SocketAddr> = node
                .endpoints()
                .iter()
                .map(|e| resolve(e))
                .collect::<Result<Vec<_>, _>>()?
                .concat();
            peers.insert(domain.clone(), addresses);
        }
    }
    Ok(peers)
}

fn resolve(endpoint: &str) -> Result<Vec<SocketAddr>, String> {
    let addresses = endpoint.to_socket_addrs();
    addresses.map(Iterator::collect).map_err(|error| format!("endpoint `{endpoint}`: {error}"))
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
        None => Ok(system.addresses.iter().cloned().collect()),
    }
}
