//! Which policy a command asks: a folder's, offline, or that which a running relay has in force.

use std::path::PathBuf;

use super::{folder::Files, in_force};
use crate::{exit::Failure, output::Output};

/// Which policy is asked.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Source {
    /// The files of this folder; no relay is asked.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// What the relay of this officer or operator has in force.
    #[arg(long = "as", value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Source {
    /// The files.
    pub(crate) async fn files(&self, output: Output) -> Result<Files, Failure> {
        match (&self.dir, &self.folder) {
            (Some(dir), _) => Files::read(dir),
            (None, Some(folder)) => in_force::fetch(folder, output).await,
            (None, None) => Err(Failure::usage("say --dir or --as")),
        }
    }
}
