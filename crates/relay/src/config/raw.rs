//! `relay.toml` as it is written.

use std::{net::SocketAddr, path::PathBuf};

use kuriiri_transport::KeyAgreement;
use kuriiri_types::{Address, Ministry};
use serde::Deserialize;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawConfig {
    pub(super) ministry: Ministry,
    pub(super) relay: String,
    pub(super) listen: SocketAddr,
    pub(super) state: PathBuf,
    pub(super) federation: PathBuf,
    pub(super) catalogues: Vec<PathBuf>,
    pub(super) rules: PathBuf,
    #[serde(default)]
    pub(super) local_rules: Vec<PathBuf>,
    #[serde(default)]
    pub(super) translations: Vec<PathBuf>,
    pub(super) revocation: PathBuf,
    #[serde(default)]
    pub(super) danger_without_revocation: Vec<Ministry>,
    #[serde(default)]
    pub(super) key_agreement: RawKeyAgreement,
    #[serde(default = "yes")]
    pub(super) segmentation_offload: bool,
    pub(super) tls: KeyPair,
    pub(super) signing: KeyPair,
    #[serde(default)]
    pub(super) system: Vec<RawSystem>,
}

/// A certificate and its key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyPair {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// A system of the ministry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSystem {
    pub(super) name: String,
    pub(super) addresses: Vec<Address>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawKeyAgreement {
    PqRequired,
    #[default]
    PqPreferred,
    Classic,
}

impl From<RawKeyAgreement> for KeyAgreement {
    fn from(raw: RawKeyAgreement) -> Self {
        match raw {
            RawKeyAgreement::PqRequired => Self::PqRequired,
            RawKeyAgreement::PqPreferred => Self::PqPreferred,
            RawKeyAgreement::Classic => Self::Classic,
        }
    }
}

fn yes() -> bool {
    true
}
