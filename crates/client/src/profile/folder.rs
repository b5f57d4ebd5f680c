//! A profile's folder, and the files that a profile of any kind names.

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use kuriiri_seal::{KeyError, Signer, read_secret};
use kuriiri_tlog::{KeyTextError, VerifierKey};
use kuriiri_types::{Code, Ministry};
use serde::{Deserialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use super::party::{PartyBuilder, signer};
use crate::error::ProfileError;

/// The files that say whose folder it is.
const PROFILES: [&str; 3] = ["system.toml", "officer.toml", "operator.toml"];
/// What the file of a ministry's CA is called behind its name.
const CA: &str = ".ca.pem";

/// A folder that paths are relative to.
pub(crate) struct Folder<'a>(pub(crate) &'a Path);

/// A certificate and its key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyPair {
    certificate: PathBuf,
    key: PathBuf,
}

impl KeyPair {
    /// The pair `<name>.pem` and `<name>.key`.
    pub(crate) fn named(name: &str) -> Self {
        Self { certificate: format!("{name}.pem").into(), key: format!("{name}.key").into() }
    }
}

impl Folder<'_> {
    /// What a file of the folder says.
    pub(crate) fn toml<T: DeserializeOwned>(&self, name: &str) -> Result<T, ProfileError> {
        let file = self.0.join(name);
        let text = read(&file, Code::CONFIG).map_err(|error| match self.other_than(name) {
            Some(other) if !file.exists() => {
                let what = format!("there is no such file, but {other}: this is another's folder");
                ProfileError::new(&file, Code::CONFIG, what)
            }
            Some(_) | None => error,
        })?;
        toml::from_str(&text).map_err(|error| {
            let hint = nearest_key(error.message()).unwrap_or_default();
            ProfileError::new(&file, Code::CONFIG, format!("{error}{hint}"))
        })
    }

    /// The file of a profile of another kind, if the folder has one.
    fn other_than(&self, name: &str) -> Option<&'static str> {
        PROFILES.into_iter().find(|other| *other != name && self.0.join(other).exists())
    }

    /// Adds what the relay is shown.
    pub(crate) fn tls(
        &self,
        party: PartyBuilder,
        pair: &KeyPair,
    ) -> Result<PartyBuilder, ProfileError> {
        let (place, certificate, key) = self.pair(pair)?;
        party.tls(&place, &certificate, &key)
    }

    /// Adds what is signed with.
    pub(crate) fn signing(
        &self,
        party: PartyBuilder,
        pair: &KeyPair,
    ) -> Result<PartyBuilder, ProfileError> {
        let (place, certificate, key) = self.pair(pair)?;
        party.signing(&place, &certificate, &key)
    }

    /// What is signed with, whoever it names.
    pub(crate) fn signer(&self, pair: &KeyPair) -> Result<Signer, ProfileError> {
        let (place, certificate, key) = self.pair(pair)?;
        signer(&place, &certificate, &key)
    }

    /// A secret key in a file that nobody but its owner may read.
    pub(crate) fn secret_key<K>(&self, file: &Path) -> Result<K, ProfileError>
    where
        K: FromStr<Err = KeyError>,
    {
        let file = self.0.join(file);
        parse(&file, &secret(&file)?)
    }

    /// The place of the certificate, the certificate, and the key, PEM.
    fn pair(&self, pair: &KeyPair) -> Result<(PathBuf, String, Zeroizing<String>), ProfileError> {
        let place = self.0.join(&pair.certificate);
        let certificate = read(&place, Code::KEY_FILE)?;
        Ok((place, certificate, secret(&self.0.join(&pair.key))?))
    }
}

// === the trust folder ===

/// Believes everybody in a trust folder, and tells who they are.
pub(crate) fn read_trust(
    mut party: PartyBuilder,
    folder: &Path,
) -> Result<(PartyBuilder, Vec<Ministry>), ProfileError> {
    let members = members(folder)?;
    for ministry in &members {
        let of = |ending| folder.join(format!("{ministry}{ending}"));
        let authority = of(CA);
        let (ca, crl) = (read(&authority, Code::KEY_FILE)?, read(&of(".crl.pem"), Code::KEY_FILE)?);
        party = party.trust(&authority, ministry, &ca, &crl)?;
    }
    Ok((party, members))
}

/// A public key of a ministry in a trust folder, if it is there.
pub(crate) fn public_key<K>(
    folder: &Path,
    ministry: &Ministry,
    what: &str,
) -> Result<Option<K>, ProfileError>
where
    K: FromStr<Err = KeyError>,
{
    let file = folder.join(format!("{ministry}.{what}.pub"));
    if !file.exists() {
        return Ok(None);
    }
    parse(&file, &read(&file, Code::KEY_FILE)?).map(Some)
}

/// The public key of a log in a file, if it is there.
pub(crate) fn log_key(file: &Path) -> Result<Option<VerifierKey>, ProfileError> {
    if !file.exists() {
        return Ok(None);
    }
    let key = read(file, Code::KEY_FILE)?.trim_end().parse().map(Some);
    key.map_err(|error: KeyTextError| {
        ProfileError::new(file, Code::KEY_FILE, "this log key cannot be used").because(error)
    })
}

/// The ministries that have a CA in the folder.
fn members(folder: &Path) -> Result<Vec<Ministry>, ProfileError> {
    let unreadable = |error| {
        let what = "the folder of trusted ministries cannot be read";
        ProfileError::new(folder, Code::KEY_FILE, what).because(error)
    };
    let mut members = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let Some(ministry) = name.to_str().and_then(|name| name.strip_suffix(CA)) else {
            continue;
        };
        let ministry = ministry.parse().map_err(|error: kuriiri_types::AddressError| {
            let what = "the file is not named after a ministry";
            ProfileError::new(folder.join(&name), Code::KEY_FILE, what).because(error)
        })?;
        members.push(ministry);
    }
    members.sort_unstable();
    Ok(members)
}

// === one file ===

fn parse<K: FromStr<Err = KeyError>>(file: &Path, text: &str) -> Result<K, ProfileError> {
    text.parse().map_err(|error: KeyError| {
        ProfileError::new(file, Code::KEY_FILE, "this sealing key cannot be used").because(error)
    })
}

fn read(file: &Path, code: Code) -> Result<String, ProfileError> {
    fs::read_to_string(file)
        .map_err(|error| ProfileError::new(file, code, "the file cannot be read").because(error))
}

/// A file that nobody but its owner may read.
fn secret(file: &Path) -> Result<Zeroizing<String>, ProfileError> {
    read_secret(file).map_err(|error| ProfileError::new(file, Code::KEY_FILE, error))
}

/// For an unknown key, the known one that looks most like it.
fn nearest_key(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    let (unknown, known) = rest.split_once('`')?;
    let known = known.split('`').skip(1).step_by(2);
    let nearest = known.max_by(|a, b| {
        strsim::jaro_winkler(unknown, a).total_cmp(&strsim::jaro_winkler(unknown, b))
    })?;
    Some(format!("did you mean `{nearest}`?"))
}
