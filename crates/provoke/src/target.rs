//! The relay under test, as the federation file has it.

use std::{net::SocketAddr, path::Path};

use kuriiri_policy::{Federation, Node};
use kuriiri_seal::SealingPublicKey;
use kuriiri_tlog::VerifierKey;
use kuriiri_types::{Address, Code, Ministry};
use serde::Deserialize;

use crate::{
    error::ProvokeError,
    folder::{Folder, SystemFile, read},
    given::Given,
};

/// The relay under test.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) ministry: Ministry,
    pub(crate) log: VerifierKey,
    pub(crate) witness: Option<VerifierKey>,
    pub(crate) sealing: Option<SealingPublicKey>,
    pub(crate) mailbox: Address,
    /// Whether it carries for others.
    pub(crate) is_transit: bool,
}

/// The sealing keys of the members, whole: the federation itself keeps no more than what names them.
#[derive(Deserialize)]
struct Keys {
    node: Vec<NodeKeys>,
}

#[derive(Deserialize)]
struct NodeKeys {
    domain: Option<Ministry>,
    sealing_key: Option<String>,
    #[serde(default)]
    sealing_keys: Vec<String>,
}

impl Target {
    /// The relay that is given.
    pub(crate) async fn find(given: &Given, members: &Members) -> Result<Self, ProvokeError> {
        let found = tokio::net::lookup_host(&given.relay).await;
        let address = found.ok().and_then(|mut all| all.next());
        let address = address.ok_or_else(|| ProvokeError::Address(given.relay.clone()))?;
        let (node, ministry) = node(given, &members.federation)?;
        let unfit = |what: &str| ProvokeError::Target(format!("{ministry} has no usable {what}"));
        let key = |key: Option<&str>| key.and_then(|key| key.trim().parse().ok());
        Ok(Self {
            address,
            log: key(node.log()).ok_or_else(|| unfit("`log`"))?,
            witness: key(node.witness()),
            sealing: members.sealing_key(&ministry),
            mailbox: given.mailbox.clone().map_or_else(|| mailbox(given, &ministry), Ok)?,
            is_transit: node.is_transit(),
            ministry,
        })
    }
}

/// The federation file.
pub(crate) struct Members {
    pub(crate) federation: Federation,
    keys: Keys,
}

impl Members {
    /// Reads the file.
    pub(crate) fn read(file: &Path) -> Result<Self, ProvokeError> {
        let wrong = |what: String| ProvokeError::file(file, Code::POLICY_FILE, what);
        let text = read(file, Code::POLICY_FILE)?;
        let federation = Federation::parse(&text).map_err(|error| wrong(error.to_string()))?;
        let keys = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { federation, keys })
    }

    /// A sealing key of a member, if it has one.
    fn sealing_key(&self, ministry: &Ministry) -> Option<SealingPublicKey> {
        let node = self.keys.node.iter().find(|node| node.domain.as_ref() == Some(ministry))?;
        let mut keys = node.sealing_key.iter().chain(&node.sealing_keys);
        keys.find_map(|key| key.trim().parse().ok())
    }
}

/// The member whose relay is given.
fn node<'a>(given: &Given, members: &'a Federation) -> Result<(&'a Node, Ministry), ProvokeError> {
    let is_it = |node: &&Node| match &given.ministry {
        Some(ministry) => node.domain() == Some(ministry),
        None => node.endpoints().contains(&given.relay),
    };
    let node = members.nodes().map(|(_, node)| node).find(is_it);
    let named = node.and_then(|node| Some((node, node.domain()?.clone())));
    named.ok_or_else(|| {
        ProvokeError::Target(match &given.ministry {
            Some(ministry) => format!("{ministry} is not in the federation file"),
            None => format!(
                "no member of the federation file listens at {}; say whose relay it is",
                given.relay
            ),
        })
    })
}

/// The mailbox at the relay that is called as the system's own.
fn mailbox(given: &Given, ministry: &Ministry) -> Result<Address, ProvokeError> {
    let system: SystemFile = Folder(&given.system).toml("system.toml")?;
    let same = Address::new(system.address.mailbox(), ministry.clone());
    same.map_err(|error| ProvokeError::Target(error.to_string()))
}
