//! What the commands of officers and operators share.

use std::path::{Path, PathBuf};

use kuriiri_client::{Officer, OfficerError, OfficerProfile};

use crate::{exit::Failure, output::Output, system::patiently, words};

/// As which officer a command acts.
#[derive(Debug, clap::Args)]
pub(crate) struct AsOfficer {
    /// The officer's folder, with the `officer.toml` and keys.
    #[arg(long = "as", value_name = "DIR")]
    folder: PathBuf,
}

impl AsOfficer {
    /// A link to the ministry's relay.
    pub(crate) async fn connect(&self, output: Output) -> Result<Officer, Failure> {
        connect(&self.folder, output).await
    }
}

/// As whom, and on what basis, something is done that the log keeps.
#[derive(Debug, clap::Args)]
pub(crate) struct OnBasis {
    /// The folder of an officer or operator of the ministry.
    #[arg(long = "as", value_name = "DIR")]
    folder: PathBuf,
    /// The legal basis, in words: the log keeps it.
    #[arg(long, value_name = "TEXT", value_parser = words::line)]
    pub(crate) basis: String,
}

impl OnBasis {
    /// A link to the ministry's relay.
    pub(crate) async fn connect(&self, output: Output) -> Result<Officer, Failure> {
        connect(&self.folder, output).await
    }
}

/// A link to the relay for the officer or operator of this folder. A relay that cannot be reached is
/// given some time, for it may just be starting.
pub(crate) async fn connect(folder: &Path, output: Output) -> Result<Officer, Failure> {
    patiently(|| OfficerProfile::load(folder), Officer::connect, output).await
}

/// Why an officer cannot see a message, or say anything about it.
pub(crate) fn failure(error: OfficerError) -> Failure {
    Failure::new(error.code(), error)
}
