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

impl Profile {
    /// Reads `system.toml` in a folder, and everything that it names. Nothing is written and no
    /// socket is opened.
    ///
    /// ```toml
    /// system = "spiffe://sm.example/system/kirjaamo"
    /// address = "kirjaamo@sm.example"        # its own mailbox
    /// relay = "127.0.0.1:7101"               # host:port
    /// tls = { certificate = "tls.pem", key = "tls.key" }
    /// signing = { certificate = "signing.pem", key = "signing.key" }
    /// sealing-key = "sealing.key"            # only to receive sealed messages
    /// trust = "../../../federation/trust"
    /// ```
    ///
    /// Paths are relative to the folder. Nobody but their owner may read the key files (mode
    /// 0600). The folder `trust` holds for every ministry `<ministry>.ca.pem`,
    /// `<ministry>.crl.pem`, `<ministry>.log.vkey` to believe the receipts of its relay and, to send
    /// sealed messages there, `<ministry>.seal.pub`; and `<own ministry>.release.pub`, to send sealed
    /// messages that officers release. Only the own ministry's `.log.vkey` must be there: without
    /// another's, the receipts of that relay are reported as not genuine.
    ///
    /// A `.log.vkey` is one line, the public key of a relay's log as C2SP `signed-note` writes it,
    /// under the name of the first log, `<ministry>/log`.
    ///
    /// # Errors
    /// The file, the place in it, and what is wrong; an unknown key with the nearest known one.
    pub fn load(folder: &Path) -> Result<Self, ProfileError> {
        let files = Folder(folder);
        let raw: RawProfile = files.toml(FILE)?;
        let mut builder = Self::builder(raw.system, raw.address, &raw.relay);
        builder.party = files.tls(builder.party, &raw.tls)?;
        builder.party = files.signing(builder.party, &raw.signing)?;
        if let Some(key) = raw.sealing_key {
            builder = builder.sealing_key(files.secret_key(&key)?);
        }
        believe(builder, folder.join(raw.trust))?.build_from(&folder.join(FILE))
    }
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
