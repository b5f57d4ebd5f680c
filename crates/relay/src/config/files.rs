//! The files that a configuration names.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use kuriiri_policy::Federation;
use kuriiri_seal::{
    Authorities, CertificateValidity, KeyError, NoteKey, PinnedSigners, RevocationList,
    authority_ids, read_secret,
};
use kuriiri_tlog::{Cosigner, KeyName, LogKeys, NoteSigner, VerifierKey, log_origin, ministry_of};
use kuriiri_transport::{Identity, Trust};
use kuriiri_types::{Code, Ministry, SpiffeId, Timestamp};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::{
    logs::Logs,
    raw::{KeyPair, RawConfig, RawSigners},
};
use crate::{
    error::ConfigError,
    lapses::Own,
    record::{ListsOf, Record},
    signed::{Part, SignedFile, SignedFiles, Signers},
};

/// The folder that paths in a file are relative to.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn of(file: &Path) -> Self {
        Self(file.parent().map(Path::to_path_buf).unwrap_or_default())
    }

    pub(super) fn path(&self, path: &Path) -> PathBuf {
        self.0.join(path)
    }

    /// Reads a TOML file given by its full path.
    pub(super) fn toml<T: DeserializeOwned>(&self, file: &Path) -> Result<T, ConfigError> {
        let text = read(file, Code::CONFIG)?;
        toml::from_str(&text).map_err(|error| {
            let hint = nearest_key(error.message()).unwrap_or_default();
            ConfigError::new(file, Code::CONFIG, format!("{error}{hint}"))
        })
    }

    /// The certificate and key that this relay shows others, and until when it can.
    pub(super) fn identity(
        &self,
        pair: &KeyPair,
        owner: &SpiffeId,
        now: Timestamp,
    ) -> Result<(Identity, Own), ConfigError> {
        let (file, certificate, key) = self.key_pair(pair)?;
        let identity = Identity::from_pem(&certificate, &key)
            .map_err(|error| ConfigError::new(&file, error.code(), error))?;
        require_owner(&file, identity.id(), owner)?;
        let chain = CertificateValidity::all_in(&certificate)
            .map_err(|error| ConfigError::new(&file, error.code(), error))?;
        chain.iter().try_for_each(|dates| require_valid(&file, dates, now))?;
        Ok((identity, Own { file, chain }))
    }

    /// The keys of this relay's log and of it as a witness, and those of all others.
    pub(super) fn logs(
        &self,
        federation: &Federation,
        raw: &RawConfig,
    ) -> Result<Logs, ConfigError> {
        let wrong =
            |what: String| ConfigError::new(self.path(&raw.federation), Code::LOG_KEY, what);
        let (mut keys, mut witnesses) = (LogKeys::new(), BTreeMap::new());
        let mut holders = Holders::default();
        for (_, node) in federation.nodes() {
            let Some(ministry) = node.domain() else { continue };
            let key = node.log().ok_or_else(|| wrong(format!("{ministry} has no `log`")))?;
            let key = holders.take(ministry, "log", key).map_err(wrong)?;
            if ministry_of(key.name().as_str()).as_ref() != Some(ministry) {
                return Err(wrong(format!("the log of {ministry} is called {}", key.name())));
            }
            keys.add(&key).map_err(|error| wrong(error.to_string()))?;
            if let Some(witness) = node.witness() {
                let witness = holders.take(ministry, "witness", witness).map_err(wrong)?;
                if witness.name().as_str() != format!("{ministry}/witness") {
                    let what = format!("the witness of {ministry} is called {}", witness.name());
                    return Err(wrong(what));
                }
                witnesses.insert(ministry.clone(), witness);
            }
        }
        let origin = log_origin(&raw.ministry);
        let signer = NoteSigner::new(key_name(&origin)?, self.note_key(&raw.log.key)?);
        let own = keys.find(&origin).map(|(_, key)| key);
        if own.as_ref() != Some(signer.verifier_key()) {
            let what = "this key does not belong to the `log` that the federation file has for us";
            return Err(ConfigError::new(self.path(&raw.log.key), Code::LOG_KEY, what));
        }
        let name = key_name(&format!("{}/witness", raw.ministry))?;
        let cosigner = Cosigner::new(name, self.note_key(&raw.log.witness_key)?);
        if witnesses.get(&raw.ministry).is_some_and(|key| key != cosigner.verifier_key()) {
            let what = "this key does not belong to our `witness` in the federation file";
            return Err(ConfigError::new(self.path(&raw.log.witness_key), Code::LOG_KEY, what));
        }
        Ok(Logs {
            dir: self.path(&raw.log.dir),
            signer: Arc::new(signer),
            cosigner: Arc::new(cosigner),
            keys,
            witnesses,
        })
    }

    fn note_key(&self, key: &Path) -> Result<NoteKey, ConfigError> {
        let key = self.path(key);
        let text = secret(&key)?;
        NoteKey::from_pem(&text).map_err(|error| ConfigError::new(&key, Code::KEY_FILE, error))
    }

    fn key_pair(
        &self,
        pair: &KeyPair,
    ) -> Result<(PathBuf, String, Zeroizing<String>), ConfigError> {
        let (certificate, key) = (self.path(&pair.certificate), self.path(&pair.key));
        let (text, key) = (read(&certificate, Code::KEY_FILE)?, secret(&key)?);
        Ok((certificate, text, key))
    }

    /// The signed files that a configuration names, in the order of their parts.
    pub(super) fn signed(
        &self,
        raw: &RawConfig,
        record: &Record,
    ) -> Result<SignedFiles, ConfigError> {
        let one = |part, path: &PathBuf| (part, self.path(path));
        let all = |part, paths: &[PathBuf]| -> Vec<_> {
            paths.iter().map(|path| one(part, path)).collect()
        };
        let mut named = vec![one(Part::Federation, &raw.federation)];
        named.extend(all(Part::Catalogue, &raw.catalogues));
        named.push(one(Part::Rules, &raw.rules));
        named.extend(all(Part::LocalRules, &raw.local_rules));
        named.extend(all(Part::Translation, &raw.translations));
        let mut files: Vec<SignedFile> = Vec::with_capacity(named.len());
        for (part, path) in named {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let recorded = name.and_then(|name| record.digest(&name));
            let file = SignedFile::read(part, path, recorded)?;
            if files.iter().any(|known| known.name() == file.name()) {
                let what = "two signed files have this name";
                return Err(ConfigError::new(file.path, Code::CONFIG, what));
            }
            files.push(file);
        }
        Ok(SignedFiles(files))
    }

    /// Who may sign what.
    pub(super) fn signers(&self, raw: &RawConfig) -> Result<Signers, ConfigError> {
        let RawSigners { catalogues, federation, rules, local_rules, translations } = &raw.signers;
        let parts = [
            (Part::Federation, federation),
            (Part::Catalogue, catalogues),
            (Part::Rules, rules),
            (Part::LocalRules, local_rules),
            (Part::Translation, translations),
        ];
        parts.into_iter().map(|(part, files)| Ok((part, self.pinned(files)?))).collect()
    }

    fn pinned(&self, files: &[PathBuf]) -> Result<PinnedSigners, ConfigError> {
        let mut pinned = PinnedSigners::new();
        for file in files {
            let file = self.path(file);
            let text = read(&file, Code::KEY_FILE)?;
            pinned.add(&text).map_err(|error| ConfigError::new(&file, error.code(), error))?;
        }
        Ok(pinned)
    }

    /// Whom to believe: the members' CAs from the federation file, and their revocation lists from
    /// the folder of these, `<ministry>.pem` each. A list is read once, so what is held against the record is
    /// what certificates are judged by.
    pub(super) fn trust(
        &self,
        federation: &Federation,
        raw: &RawConfig,
        record: &Record,
    ) -> Result<Believed, ConfigError> {
        let wrong = |error: &dyn ToString| {
            ConfigError::new(self.path(&raw.federation), Code::KEY_FILE, error.to_string())
        };
        let (mut trust, mut authorities) = (Trust::builder(), Authorities::new());
        let mut lists = Vec::new();
        for (ministry, ca) in members(federation) {
            let (of, pem) = self.revocations(raw, ministry, ca)?;
            record.check_lists(&of)?;
            lists.push(of);
            trust = trust.member(ministry.clone(), ca, pem.as_deref()).map_err(|e| wrong(&e))?;
            authorities.add(ministry, ca).map_err(|e| wrong(&e))?;
            if let Some(pem) = &pem {
                authorities.add_revocations(ministry, pem).map_err(|e| wrong(&e))?;
            }
        }
        for ministry in &raw.danger_without_revocation {
            tracing::warn!(%ministry, "revocation is not checked, as configured");
            trust = trust.danger_without_revocation(ministry.clone());
        }
        let trust = trust
            .build()
            .map_err(|error| ConfigError::new(self.path(&raw.revocation), error.code(), error))?;
        Ok(Believed { trust, authorities, lists })
    }

    /// The revocation lists of a ministry, and their text.
    fn revocations(
        &self,
        raw: &RawConfig,
        ministry: &Ministry,
        ca: &str,
    ) -> Result<(ListsOf, Option<String>), ConfigError> {
        let file = self.path(&raw.revocation).join(format!("{ministry}.pem"));
        let pem = file.exists().then(|| read(&file, Code::KEY_FILE)).transpose()?;
        let of =
            |error: KeyError| ConfigError::new(self.path(&raw.federation), error.code(), error);
        let authorities = authority_ids(ministry, ca).map_err(of)?;
        let lists = pem.as_deref().map(|pem| RevocationList::issued_by(ministry, ca, pem));
        let lists = lists.transpose();
        let lists = lists.map_err(|error| ConfigError::new(&file, error.code(), error))?;
        let without = raw.danger_without_revocation.contains(ministry);
        let (ministry, lists) = (ministry.clone(), lists.unwrap_or_default());
        Ok((ListsOf { ministry, file, authorities, lists, without }, pem))
    }
}

/// Whom a configuration believes.
pub(super) struct Believed {
    /// On links.
    pub(super) trust: Trust,
    /// As signers.
    pub(super) authorities: Authorities,
    /// The revocation lists by which either is judged.
    pub(super) lists: Vec<ListsOf>,
}

/// Whose keys were read so far. A key has one holder: two witnesses with one key would count twice, and a
/// log could be signed by another ministry.
#[derive(Debug, Default)]
struct Holders(HashMap<[u8; 32], String>);

impl Holders {
    /// Reads a key of a ministry.
    fn take(&mut self, ministry: &Ministry, what: &str, key: &str) -> Result<VerifierKey, String> {
        let holder = format!("the `{what}` of {ministry}");
        let key: VerifierKey = key.trim().parse().map_err(|error| format!("{holder}: {error}"))?;
        match self.0.insert(*key.public_key(), holder.clone()) {
            Some(other) => Err(format!("{holder} is the same key as {other}")),
            None => Ok(key),
        }
    }
}

/// The text of a private key.
fn secret(key: &Path) -> Result<Zeroizing<String>, ConfigError> {
    read_secret(key).map_err(|error| ConfigError::new(key, Code::KEY_FILE, error))
}

fn key_name(text: &str) -> Result<KeyName, ConfigError> {
    text.parse().map_err(|error| ConfigError::new(text, Code::LOG_KEY, error))
}

fn members(federation: &Federation) -> impl Iterator<Item = (&Ministry, &str)> {
    federation.nodes().filter_map(|(_, node)| Some((node.domain()?, node.ca()?)))
}

fn read(file: &Path, code: Code) -> Result<String, ConfigError> {
    fs::read_to_string(file).map_err(|error| ConfigError::new(file, code, error))
}

fn require_owner(file: &Path, found: &SpiffeId, owner: &SpiffeId) -> Result<(), ConfigError> {
    if found == owner {
        return Ok(());
    }
    let what = format!("this certificate names {found}, not {owner}");
    Err(ConfigError::new(file, Code::KEY_FILE, what))
}

/// Nobody would believe it: the operator is to hear so here, and not from its peers.
fn require_valid(
    file: &Path,
    dates: &CertificateValidity,
    now: Timestamp,
) -> Result<(), ConfigError> {
    if dates.includes(now) {
        return Ok(());
    }
    let what = if now < dates.not_before {
        let begins = dates.not_before;
        format!(
            "a certificate in it counts from {begins} on, and it is {now} here; compare the clocks"
        )
    } else {
        let ended = dates.not_after;
        format!("a certificate in it ended at {ended}, and it is {now} here; have it renewed")
    };
    Err(ConfigError::new(file, Code::KEY_FILE, what))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_holder() {
        let (sm, um) = ("sm.example".parse().unwrap(), "um.example".parse().unwrap());
        let name = |text: &str| text.parse::<KeyName>().unwrap();
        let key = |text: &str, byte| {
            VerifierKey::new(name(text), kuriiri_tlog::KeyKind::Note, [byte; 32]).to_string()
        };
        let mut holders = Holders::default();
        holders.take(&sm, "log", &key("sm.example/log", 1)).unwrap();
        holders.take(&um, "log", &key("um.example/log", 2)).unwrap();
        let again = holders.take(&um, "witness", &key("um.example/witness", 1)).unwrap_err();
        assert!(again.ends_with("is the same key as the `log` of sm.example"), "{again}");
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_nearest_known_one() {
        let message = "unknown field `lisen`, expected one of `ministry`, `listen`, `state`";
        assert_eq!(nearest_key(message).unwrap(), "did you mean `listen`?");
        assert_eq!(
            nearest_key("unknown field `keys`, expected `key`").unwrap(),
            "did you mean `key`?"
        );
        assert_eq!(nearest_key("invalid type: string"), None);
    }
}
