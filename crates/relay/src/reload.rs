//! Changing what is in force while messages flow: files read again, or signed files handed in.

use std::{path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use bytes::Bytes;
use kuriiri_engine::{Event, Retention, Roster};
use kuriiri_seal::Verifier;
use kuriiri_tlog::ReceiptVerifier;
use kuriiri_transport::{Endpoint, IdentityError, Trust};
use kuriiri_types::{Code, FileKind, SpiffeId};
use tokio::sync::Mutex;

use crate::{
    acceptance, clock,
    config::Config,
    error::{ConfigError, RelayError},
    fixed::Fixed,
    in_force::InForce,
    judgement::{Judgement, judge},
    outgoing::{Addresses, Dialler},
    rollback::Rollback,
    shared::Shared,
};

/// A signed file that somebody hands in: kind, name, bytes, signatures.
pub(crate) type Offered = (FileKind, String, Bytes, String);

/// Puts configurations in force, one after the other.
#[derive(Debug)]
pub(crate) struct Reloader {
    pub(crate) file: PathBuf,
    pub(crate) state: PathBuf,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) trust: Arc<ArcSwap<Trust>>,
    pub(crate) addresses: Arc<ArcSwap<Addresses>>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) rollback: Arc<Rollback>,
    /// What only a start puts in force.
    pub(crate) fixed: Fixed,
    /// Held from finding out what may leave the log until it has left.
    pub(crate) pruning: Mutex<()>,
    /// How long entries of the log are kept.
    pub(crate) retention: ArcSwap<Retention>,
    pub(crate) current: Mutex<InForce>,
}

impl Reloader {
    /// What dials peers.
    pub(crate) fn dialler(&self) -> Dialler {
        Dialler {
            endpoint: Arc::clone(&self.endpoint),
            shared: Arc::clone(&self.shared),
            addresses: Arc::clone(&self.addresses),
            rollback: Arc::clone(&self.rollback),
        }
    }

    /// The signed files in force.
    pub(crate) async fn in_force(&self) -> InForce {
        self.current.lock().await.clone()
    }

    /// Reads the configuration again and puts it in force.
    pub(crate) async fn reload(&self) -> Result<(), RelayError> {
        let mut current = self.current.lock().await;
        let config = Config::read(&self.file, None)?;
        let judgement = judge(clock::now(), &current, &config);
        refuse(&judgement, &config)?;
        self.fixed.check(&config)?;
        // What can be refused comes before anything is on record.
        self.identify(&config)?;
        self.record(&config)?;
        self.put_in_force(&mut current, config, None).await
    }

    /// Shows the configured certificate from now on.
    fn identify(&self, config: &Config) -> Result<(), RelayError> {
        let named = |error: IdentityError| RelayError::Loop(error.to_string());
        self.endpoint.replace_identity(config.identity.clone()).map_err(named)
    }

    /// Puts signed files in force if they may be; says in any case what they are and would change.
    pub(crate) async fn activate(
        &self,
        offered: &[Offered],
        by: &SpiffeId,
    ) -> Result<Judgement, RelayError> {
        let mut current = self.current.lock().await;
        let files =
            current.files.with(offered).map_err(|what| self.wrong(Code::POLICY_FILE, what))?;
        let config = Config::read(&self.file, Some(files))?;
        let judgement = judge(clock::now(), &current, &config);
        if let Err(error) = refuse(&judgement, &config) {
            tracing::warn!(%error, code = %error.code(), "signed files were handed in and refused");
            return Ok(judgement);
        }
        self.identify(&config)?;
        self.place(&config)?;
        self.put_in_force(&mut current, config, Some(by)).await?;
        Ok(judgement)
    }

    /// Makes the new files those in force, all or none: what is on record counts, and a relay that
    /// starts finds its files beside their places if this was cut off.
    fn place(&self, config: &Config) -> Result<(), RelayError> {
        let files = &config.signed.0;
        let io = |error: std::io::Error| self.wrong(Code::STORE_IO, error.to_string());
        if let Err(error) = files.iter().try_for_each(|file| file.prepare()) {
            files.iter().for_each(|file| file.discard());
            return Err(io(error).into());
        }
        self.record(config)?;
        files.iter().try_for_each(|file| file.settle()).map_err(io)?;
        Ok(())
    }

    fn record(&self, config: &Config) -> Result<(), RelayError> {
        let stored = config.recorded().store(&self.state);
        stored.map_err(|error| self.wrong(Code::STORE_IO, error.to_string()).into())
    }

    async fn put_in_force(
        &self,
        current: &mut InForce,
        config: Config,
        by: Option<&SpiffeId>,
    ) -> Result<(), RelayError> {
        *current = InForce::of(&config);
        let mut files = Box::new(config.signed_set());
        files.policy.by = by.cloned();
        self.trust.store(Arc::new(config.trust));
        self.addresses.store(Arc::new(config.peers));
        self.retention.store(Arc::new(config.retention.clone()));
        close_unaccepted(&self.endpoint, &self.trust);
        let receipts = ReceiptVerifier::new(config.logs.keys);
        self.shared.checks.replace_verifiers(Verifier::new(config.authorities), receipts);
        self.shared.policy.store(Arc::clone(&config.policy));
        let roster = Event::RosterChanged(Box::new(Roster {
            systems: config.systems,
            clearances: config.clearances,
            officers: config.officers,
        }));
        let retention = Event::RetentionChanged(config.retention);
        let rules = Event::PolicyChanged { policy: config.policy, files };
        for event in [roster, retention, rules] {
            self.shared
                .inbox
                .tell(event)
                .await
                .map_err(|closing| RelayError::Loop(closing.to_string()))?;
        }
        tracing::info!("configuration in force");
        Ok(())
    }

    fn wrong(&self, code: Code, what: String) -> ConfigError {
        ConfigError::new(&self.file, code, what)
    }
}

/// Refuses all when one may not be put in force. Older files and two of one serial are alarms:
/// somebody tries to bring back what was replaced, or signs two things.
fn refuse(judgement: &Judgement, config: &Config) -> Result<(), ConfigError> {
    if let Some(name) = &judgement.missing {
        let what = format!(
            "without `{name}` more is permitted than before, and nobody has signed that; put a file in its place \
             that two persons signed"
        );
        return Err(ConfigError::new(&config.file, Code::POLICY_MISSING, what));
    }
    let Some((version, acceptance)) = judgement.problem() else { return Ok(()) };
    let code = acceptance::code(acceptance).unwrap_or(Code::INTERNAL);
    if matches!(code, Code::POLICY_ROLLBACK | Code::POLICY_EQUIVOCATION) {
        tracing::error!(file = version.name, serial = version.serial, %acceptance, "alarm");
    }
    let file = config.signed.0.iter().find(|file| file.name() == version.name);
    let path = file.map(|file| file.path.clone()).unwrap_or_default();
    Err(ConfigError::new(path, code, format!("{acceptance}: serial {}", version.serial)))
}

/// Closes links whose certificate is no longer accepted.
pub(crate) fn close_unaccepted(endpoint: &Endpoint, trust: &ArcSwap<Trust>) {
    for holder in endpoint.replace_trust(Trust::clone(&trust.load())) {
        tracing::warn!(%holder, "link closed: its certificate is no longer accepted");
    }
}
