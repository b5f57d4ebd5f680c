//! `system.toml` and the files that it names.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use kuriiri_seal::{SealingKey, SealingPublicKey};
use kuriiri_types::{Address, Code, Ministry, SpiffeId};
use serde::Deserialize;

use super::{Profile, ProfileBuilder};
use crate::error::ProfileError;

/// The file in a profile's folder.
const FILE: &str = "system.toml";
/// Bits of a file's mode that let others than its owner at it.
const OTHERS: u32 = 0o077;
/// What the file of a ministry's CA is called behind its name.
const CA: &str = ".ca.pem";

/// The whole file, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawProfile {
    system: SpiffeId,
    address: Address,
    relay: String,
    tls: KeyPair,
    signing: KeyPair,
    sealing_key: Option<PathBuf>,
    trust: PathBuf,
}

/// A certificate and its key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyPair {
    certificate: PathBuf,
    key: PathBuf,
}

/// Reads a profile's folder.
pub(super) fn load(folder: &Path) -> Result<Profile, ProfileError> {
    let file = folder.join(FILE);
    let raw: RawProfile = toml::from_str(&read(&file, Code::CONFIG)?).map_err(|error| {
        let hint = nearest_key(error.message()).unwrap_or_default();
        ProfileError::new(&file, Code::CONFIG, format!("{error}{hint}"))
    })?;
    let (tls, signing) = (raw.tls.read(folder)?, raw.signing.read(folder)?);
    let trust = folder.join(raw.trust);
    let mut builder = Profile::builder(raw.system, raw.address, &raw.relay)
        .tls_from(&folder.join(raw.tls.certificate), &tls.0, &tls.1)?
        .signing_from(&folder.join(raw.signing.certificate), &signing.0, &signing.1)?;
    if let Some(key) = raw.sealing_key {
        builder = builder.sealing_key(read_sealing_key(&folder.join(key))?);
    }
    read_trust(builder, trust)?.build_from(&file)
}

impl KeyPair {
    /// Certificate and key, PEM.
    fn read(&self, folder: &Path) -> Result<(String, String), ProfileError> {
        let certificate = read(&folder.join(&self.certificate), Code::KEY_FILE)?;
        Ok((certificate, read_secret(&folder.join(&self.key))?))
    }
}

fn read_sealing_key(file: &Path) -> Result<SealingKey, ProfileError> {
    read_secret(file)?.parse().map_err(|error: kuriiri_seal::KeyError| {
        ProfileError::new(file, Code::KEY_FILE, "this sealing key cannot be used").because(error)
    })
}

/// Everybody in the trust folder.
fn read_trust(
    mut builder: ProfileBuilder,
    folder: PathBuf,
) -> Result<ProfileBuilder, ProfileError> {
    for ministry in members(&folder)? {
        let of = |ending| folder.join(format!("{ministry}{ending}"));
        let authority = of(CA);
        let (ca, crl) = (read(&authority, Code::KEY_FILE)?, read(&of(".crl.pem"), Code::KEY_FILE)?);
        builder = builder.trust_from(&authority, &ministry, &ca, &crl)?;
        let sealing = of(".seal.pub");
        if sealing.exists() {
            let key = read(&sealing, Code::KEY_FILE)?;
            let key: SealingPublicKey = key.parse().map_err(|error: kuriiri_seal::KeyError| {
                let what = "this sealing key cannot be used";
                ProfileError::new(&sealing, Code::KEY_FILE, what).because(error)
            })?;
            builder = builder.seal_to(&ministry, key);
        }
    }
    Ok(builder.trust_folder(folder))
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

fn read(file: &Path, code: Code) -> Result<String, ProfileError> {
    fs::read_to_string(file)
        .map_err(|error| ProfileError::new(file, code, "the file cannot be read").because(error))
}

/// A file that nobody but its owner may read.
fn read_secret(file: &Path) -> Result<String, ProfileError> {
    let metadata = fs::metadata(file).map_err(|error| {
        ProfileError::new(file, Code::KEY_FILE, "the file cannot be read").because(error)
    })?;
    if metadata.permissions().mode() & OTHERS != 0 {
        let what = "others than its owner can read this key; set its mode to 0600";
        return Err(ProfileError::new(file, Code::KEY_FILE, what));
    }
    read(file, Code::KEY_FILE)
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
