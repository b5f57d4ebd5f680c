//! `kuriiri policy active`: the signed files that a relay has in force.

use std::{fs, path::PathBuf};

use serde::Serialize;

use super::{folder::signatures_of, in_force};
use crate::{
    exit::{DONE, Outcome},
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
    let files = in_force::fetch(&args.folder).await?;
    for file in &files.0 {
        let line = Line {
            event: "active",
            file: &file.name,
            kind: file.kind.as_str(),
            serial: file.about()?.serial,
        };
        output.data(&line, || {
            format!("{}: {}, serial {}", line.file, file.kind.title(), line.serial)
        });
        if let Some(folder) = &args.out {
            fs::create_dir_all(folder)?;
            fs::write(folder.join(&file.name), &file.text)?;
            let signatures = file.signatures.as_deref().unwrap_or_default();
            fs::write(signatures_of(&folder.join(&file.name)), signatures)?;
        }
    }
    Ok(DONE)
}
