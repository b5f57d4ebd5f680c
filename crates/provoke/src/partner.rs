//! The member as which the kit behaves badly.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use kuriiri_policy::Federation;
use kuriiri_seal::NoteKey;
use kuriiri_tlog::{KeyName, NoteSigner, log_origin};
use kuriiri_transport::{Endpoint, Identity, Settings, Trust};
use kuriiri_types::{Code, Ministry};
use tokio::sync::OnceCell;

use crate::{
    error::ProvokeError,
    folder::{Folder, Misfit, Pair, RelayFile, System, read},
    given::{Given, Labels},
    need::Need,
    target::{Members, Target},
};

/// The member as which the kit acts, with all its keys, and the relay under test.
pub struct Partner {
    pub(crate) target: Target,
    pub(crate) home: Ministry,
    pub(crate) listen: SocketAddr,
    pub(crate) federation_serial: u64,
    pub(crate) relay: Pair,
    pub(crate) system: System,
    pub(crate) log: NoteSigner,
    pub(crate) trust: Trust,
    pub(crate) labels: Labels,
    /// For honest exchanges.
    pub(crate) dialler: Endpoint,
    /// Where the relay dials it; taken when the first case needs it.
    pub(crate) listener: OnceCell<Endpoint>,
    expired: Option<Misfit>,
    revoked: Option<Misfit>,
    stranger: Option<Pair>,
    third: Option<Ministry>,
    theirs: Option<System>,
}

impl Partner {
    /// Reads everything that is given. It must be called where tokio runs, because it opens a socket to dial from.
    ///
    /// # Errors
    /// The file, and what is wrong with it; or that no relay of a member is at the address.
    pub async fn load(given: &Given) -> Result<Self, ProvokeError> {
        let folder = Folder(&given.member);
        let file: RelayFile = folder.toml("relay.toml")?;
        let members = Members::read(&given.member.join(&file.federation))?;
        let target = Target::find(given, &members).await?;
        let trust = trust(&members.federation, &given.member.join(&file.revocation))?;
        let relay = folder.pair(&file.tls)?;
        let misfit = |folder: &Option<PathBuf>| {
            folder.as_ref().map(|folder| Folder(folder).misfit()).transpose()
        };
        let mut domains = members.federation.nodes().filter_map(|(_, node)| node.domain());
        let third = domains.find(|m| **m != file.ministry && **m != target.ministry).cloned();
        Ok(Self {
            dialler: dialler(&given.member, &relay, &trust)?,
            log: log(&given.member.join(&file.log.key), &file.ministry)?,
            system: Folder(&given.system).system()?,
            expired: misfit(&given.expired)?,
            revoked: misfit(&given.revoked)?,
            stranger: given.stranger.as_deref().map(stranger).transpose()?,
            third,
            theirs: given.theirs.as_deref().map(|folder| Folder(folder).system()).transpose()?,
            target,
            home: file.ministry,
            listen: file.listen,
            federation_serial: members.federation.serial(),
            relay,
            trust,
            labels: given.labels.clone(),
            listener: OnceCell::new(),
        })
    }

    /// Whether it has what a case needs.
    pub(crate) fn has(&self, need: Need) -> bool {
        match need {
            Need::Expired => self.expired.is_some(),
            Need::Revoked => self.revoked.is_some(),
            Need::Stranger => self.stranger.is_some(),
            Need::Third => self.third.is_some(),
            Need::Theirs => self.theirs.is_some(),
        }
    }

    pub(crate) fn expired(&self) -> Option<&Misfit> {
        self.expired.as_ref()
    }

    pub(crate) fn revoked(&self) -> Option<&Misfit> {
        self.revoked.as_ref()
    }

    pub(crate) fn stranger(&self) -> Option<&Pair> {
        self.stranger.as_ref()
    }

    pub(crate) fn theirs(&self) -> Option<&System> {
        self.theirs.as_ref()
    }

    pub(crate) fn third(&self) -> Option<&Ministry> {
        self.third.as_ref()
    }
}

impl std::fmt::Debug for Partner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Partner");
        debug.field("home", &self.home).field("target", &self.target.ministry);
        debug.finish_non_exhaustive()
    }
}

/// The socket from which honest exchanges are dialled.
fn dialler(member: &Path, relay: &Pair, trust: &Trust) -> Result<Endpoint, ProvokeError> {
    let identity = Identity::from_pem(&relay.chain, &relay.key)
        .map_err(|error| ProvokeError::file(member, error.code(), error))?;
    Endpoint::dialler(Settings::new(identity, trust.clone()))
        .map_err(|error| ProvokeError::Socket(error.to_string()))
}

fn trust(members: &Federation, revocation: &Path) -> Result<Trust, ProvokeError> {
    let mut trust = Trust::builder();
    for (_, node) in members.nodes() {
        let (Some(ministry), Some(ca)) = (node.domain(), node.ca()) else { continue };
        let file = revocation.join(format!("{ministry}.pem"));
        let list = read(&file, Code::KEY_FILE)?;
        let added = trust.member(ministry.clone(), ca, Some(&list));
        trust = added.map_err(|error| ProvokeError::file(&file, error.code(), error))?;
    }
    trust.build().map_err(|error| ProvokeError::file(revocation, error.code(), error))
}

fn log(file: &Path, home: &Ministry) -> Result<NoteSigner, ProvokeError> {
    let wrong = |what: String| ProvokeError::file(file, Code::LOG_KEY, what);
    let key = NoteKey::from_pem(&read(file, Code::LOG_KEY)?).map_err(|e| wrong(e.to_string()))?;
    let name: KeyName = log_origin(home).parse().map_err(|e| wrong(format!("{e}")))?;
    Ok(NoteSigner::new(name, key))
}

/// The certificate of a member's relay.
fn stranger(folder: &Path) -> Result<Pair, ProvokeError> {
    let folder = Folder(folder);
    let file: RelayFile = folder.toml("relay.toml")?;
    folder.pair(&file.tls)
}
