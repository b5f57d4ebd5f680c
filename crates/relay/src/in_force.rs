//! The signed files that are in force.

use std::sync::Arc;

use kuriiri_policy::Policy;
use kuriiri_types::Code;
use kuriiri_wire::admin::Lapse;

use crate::{
    config::Config,
    error::{ConfigError, RelayError},
    signed::{FileVersion, SignedFiles},
};

/// The signed files in force and what they come to.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    pub(crate) policy: Arc<Policy>,
    pub(crate) files: SignedFiles,
    pub(crate) versions: Vec<FileVersion>,
    /// What of the configuration has an end.
    pub(crate) lapses: Arc<[Lapse]>,
}

impl InForce {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            policy: Arc::clone(&config.policy),
            files: config.signed.clone(),
            versions: config.versions.clone(),
            lapses: config.lapses.as_slice().into(),
        }
    }

    /// What a relay does with its files when it starts: what was accepted takes its place, and
    /// goes on record.
    pub(crate) fn take_up(&self, config: &Config) -> Result<(), RelayError> {
        let settled = self.files.0.iter().try_for_each(|file| {
            if config.record.digest(&file.name()) == Some(file.digest().to_string().as_str()) {
                file.settle()
            } else {
                file.discard();
                Ok(())
            }
        });
        let stored = settled.and_then(|()| config.recorded().store(&config.state));
        stored.map_err(|error| ConfigError::new(&config.state, Code::STORE_IO, error).into())
    }
}
