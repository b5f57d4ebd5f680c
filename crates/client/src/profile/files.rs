//! `system.toml` and the files that it names.

use std::path::{Path, PathBuf};

use kuriiri_types::{Address, SpiffeId};
use serde::Deserialize;

use super::{
    Profile, ProfileBuilder,
    folder::{Folder, KeyPair, log_key, public_key, read_trust},
    log_key_file,
};
use crate::error::ProfileError;

/// The file in a profile's folder.
const FILE: &str = "system.toml";

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

/// Reads a profile's folder.
pub(super) fn load(path: &Path) -> Result<Profile, ProfileError> {
    let folder = Folder(path);
    let raw: RawProfile = folder.toml(FILE)?;
    let mut builder = Profile::builder(raw.system, raw.address, &raw.relay);
    builder.party = folder.tls(builder.party, &raw.tls)?;
    builder.party = folder.signing(builder.party, &raw.signing)?;
    if let Some(key) = raw.sealing_key {
        builder = builder.sealing_key(folder.secret_key(&key)?);
    }
    believe(builder, path.join(raw.trust))?.build_from(&path.join(FILE))
}

/// Takes everybody in the trust folder, with the keys of their logs and those to seal with.
fn believe(mut builder: ProfileBuilder, folder: PathBuf) -> Result<ProfileBuilder, ProfileError> {
    let (party, members) = read_trust(builder.party, &folder)?;
    builder.party = party;
    for ministry in members {
        let file = folder.join(log_key_file(&ministry));
        if let Some(key) = log_key(&file)? {
            builder = builder.log_key_from(&file, &ministry, &key)?;
        }
        if let Some(key) = public_key(&folder, &ministry, "seal")? {
            builder = builder.seal_to(&ministry, key);
        }
    }
    let home = builder.party.id.ministry().clone();
    if let Some(key) = public_key(&folder, &home, "release")? {
        builder = builder.release_with(key);
    }
    Ok(ProfileBuilder { trust_folder: folder, ..builder })
}
