//! What of a configuration only a start puts in force.

use std::{net::SocketAddr, path::PathBuf};

use kuriiri_types::{Code, Ministry};

use crate::{config::Config, error::ConfigError};

/// What a relay was started with and keeps until it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fixed {
    ministry: Ministry,
    relay: String,
    listen: SocketAddr,
    state: PathBuf,
    log: PathBuf,
}

impl Fixed {
    /// That of a configuration.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            ministry: config.ministry.clone(),
            relay: config.name.clone(),
            listen: config.listen,
            state: config.state.clone(),
            log: config.logs.dir.clone(),
        }
    }

    /// Whether a configuration has the same.
    ///
    /// # Errors
    /// Names what it has otherwise. Nothing of it may then be put in force: the operator would believe that all
    /// of it is.
    pub(crate) fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let new = Self::of(config);
        let differs = [
            ("ministry", self.ministry != new.ministry),
            ("relay", self.relay != new.relay),
            ("listen", self.listen != new.listen),
            ("state", self.state != new.state),
            ("log.dir", self.log != new.log),
        ];
        let names: Vec<_> = differs.into_iter().filter(|(_, is)| *is).map(|(key, _)| key).collect();
        if names.is_empty() {
            return Ok(());
        }
        let what = format!(
            "`{}` changed, which only a restart puts in force; nothing of the file was put in force now",
            names.join("`, `")
        );
        Err(ConfigError::new(&config.file, Code::CONFIG, what))
    }
}
