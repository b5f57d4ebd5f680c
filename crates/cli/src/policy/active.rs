//! `kuriiri policy active`: the signed files that a relay has in force.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use kuriiri_types::Code;
use serde::Serialize;

use super::{
    folder::{File, signatures_of},
    in_force,
};
use crate::{
    exit::{DONE, Failure, Outcome},
    files::{PUBLIC, replace, unwritten},
    output::Output,
};

/// Show the signed files that a relay has in force.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of an officer or operator of the relay.
    #[arg(long = "as", value_name = "DIR")]
    folder: PathBuf,
    /// Also write them, with their signatures, to this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    file: &'a str,
    kind: &'static str,
    serial: u64,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let files = in_force::fetch(&args.folder, output).await?;
    for file in &files.0 {
        let line = Line {
            event: "active",
            file: &file.name,
            kind: file.kind.as_str(),
            serial: file.about()?.serial,
        };
        output.data(&line, || {
            format!("{}: {}, serial {}", line.file, file.kind.title(), line.serial)
        })?;
        if let Some(folder) = &args.out {
            keep(folder, file)?;
        }
    }
    Ok(DONE)
}

/// Writes a file and its signatures to a folder. What it is called is the relay's to say, where it is put
/// is not.
fn keep(folder: &Path, file: &File) -> Result<(), Failure> {
    if Path::new(&file.name).file_name() != Some(OsStr::new(&file.name)) {
        let what = format!("the relay has a file `{}`, which is no name of a file", file.name);
        return Err(Failure::new(Code::PROTOCOL, anyhow::Error::msg(what)));
    }
    fs::create_dir_all(folder).map_err(|error| unwritten(folder, error))?;
    let path = folder.join(&file.name);
    let signatures = file.signatures.as_deref().unwrap_or_default();
    for (path, text) in [(&path, file.text.as_str()), (&signatures_of(&path), signatures)] {
        replace(path, text.as_bytes(), PUBLIC).map_err(|error| unwritten(path, error))?;
    }
    Ok(())
}
