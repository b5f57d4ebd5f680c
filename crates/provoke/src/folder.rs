//! Folders of members and of their systems.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use kuriiri_seal::Signer;
use kuriiri_types::{Address, Code, Ministry};
use serde::{Deserialize, de::DeserializeOwned};

use crate::error::ProvokeError;

/// A certificate and its key, PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) chain: String,
    pub(crate) key: String,
}

/// Certificates of the member that nobody may accept.
pub(crate) struct Misfit {
    pub(crate) tls: Pair,
    pub(crate) signer: Signer,
}

/// The system that writes messages.
pub(crate) struct System {
    pub(crate) address: Address,
    pub(crate) tls: Pair,
    pub(crate) signer: Signer,
    /// What it signs with, to be shown where something else is asked for.
    pub(crate) signing: Pair,
}

/// What the kit needs of a `relay.toml`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RelayFile {
    pub(crate) ministry: Ministry,
    pub(crate) listen: SocketAddr,
    pub(crate) federation: PathBuf,
    pub(crate) revocation: PathBuf,
    pub(crate) tls: PairFiles,
    pub(crate) log: LogFiles,
}

/// Of its log.
#[derive(Deserialize)]
pub(crate) struct LogFiles {
    pub(crate) key: PathBuf,
}

/// What the kit needs of a `system.toml`.
#[derive(Deserialize)]
pub(crate) struct SystemFile {
    pub(crate) address: Address,
    pub(crate) tls: PairFiles,
    pub(crate) signing: PairFiles,
}

/// Where a certificate and its key are.
#[derive(Deserialize)]
pub(crate) struct PairFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// A folder that paths are relative to.
pub(crate) struct Folder<'a>(pub(crate) &'a Path);

impl Folder<'_> {
    /// A file of TOML.
    pub(crate) fn toml<T: DeserializeOwned>(&self, name: &str) -> Result<T, ProvokeError> {
        let file = self.0.join(name);
        let text = read(&file, Code::CONFIG)?;
        toml::from_str(&text).map_err(|error| ProvokeError::file(&file, Code::CONFIG, error))
    }

    /// A certificate and its key.
    pub(crate) fn pair(&self, files: &PairFiles) -> Result<Pair, ProvokeError> {
        let read = |file: &Path| read(&self.0.join(file), Code::KEY_FILE);
        Ok(Pair { chain: read(&files.certificate)?, key: read(&files.key)? })
    }

    fn named(&self, name: &str) -> Result<Pair, ProvokeError> {
        let (certificate, key) = (format!("{name}.pem").into(), format!("{name}.key").into());
        self.pair(&PairFiles { certificate, key })
    }

    fn signer(&self, pair: &Pair) -> Result<Signer, ProvokeError> {
        Signer::from_pem(&pair.chain, &pair.key)
            .map_err(|error| ProvokeError::file(self.0, error.code(), error))
    }

    /// The system whose folder it is.
    pub(crate) fn system(&self) -> Result<System, ProvokeError> {
        let file: SystemFile = self.toml("system.toml")?;
        let signing = self.pair(&file.signing)?;
        let (tls, signer) = (self.pair(&file.tls)?, self.signer(&signing)?);
        Ok(System { address: file.address, tls, signer, signing })
    }

    /// The certificates in it that nobody may accept.
    pub(crate) fn misfit(&self) -> Result<Misfit, ProvokeError> {
        Ok(Misfit { tls: self.named("tls")?, signer: self.signer(&self.named("signing")?)? })
    }
}

/// What a file says.
pub(crate) fn read(file: &Path, code: Code) -> Result<String, ProvokeError> {
    fs::read_to_string(file).map_err(|error| ProvokeError::file(file, code, error))
}
