//! `kuriiri policy activate`: signed files, put in force while messages flow.

use std::path::PathBuf;

use bytes::Bytes;
use kuriiri_client::{Activation, OfferedFile};
use kuriiri_types::Code;
use serde::Serialize;

use super::folder::{File, Files};
use crate::{
    exit::{DONE, Failure, Outcome, REFUSED},
    output::{Output, OutputError},
    person,
};

/// Put signed files in force in a running relay, together or not at all. Everything that waits there
/// is decided again; what may no longer go is withdrawn and its sender told. Exits with 1 when one
/// of them may not be put in force.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of an officer or operator of the relay.
    #[arg(long = "as", value_name = "DIR")]
    folder: PathBuf,
    /// The files, each with its signatures beside it in a file of the same name and `.sig`; or a
    /// folder of them.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Serialize)]
struct FileLine<'a> {
    event: &'static str,
    file: &'a str,
    serial: u64,
    acceptance: &'a str,
}

#[derive(Serialize)]
struct DifferenceLine<'a> {
    event: &'static str,
    newly_permitted: &'a [String],
    newly_denied: &'a [String],
    changed: &'a [String],
    left_out: u64,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let mut offered = Vec::new();
    for path in &args.files {
        let files = if path.is_dir() { Files::read(path)?.0 } else { one(path)? };
        offered.extend(files.into_iter().map(offer).collect::<Result<Vec<_>, _>>()?);
    }
    let officer = person::connect(&args.folder, output).await?;
    let told = officer.activate(offered).await;
    officer.close().await;
    let activation = told.map_err(|error| Failure::new(error.code(), error))?;
    show(&activation, output)?;
    let good = |acceptance: &str| matches!(acceptance, "ACCEPT" | "UNCHANGED");
    let all = activation.files.iter().all(|file| good(&file.acceptance));
    Ok(if all { DONE } else { REFUSED })
}

fn one(path: &std::path::Path) -> Result<Vec<File>, Failure> {
    match File::read(path)? {
        Some(file) => Ok(vec![file]),
        None => Err(Failure::usage(format!("{} is no file of a policy", path.display()))),
    }
}

fn offer(file: File) -> Result<OfferedFile, Failure> {
    let unsigned = || {
        let what = format!(
            "{} has no signatures: sign it with `kuriiri policy sign`",
            file.path.display()
        );
        Failure::new(Code::POLICY_SIGNATURE, anyhow::Error::msg(what))
    };
    let signatures = file.signatures.clone().ok_or_else(unsigned)?;
    let (kind, name) = (file.kind, file.name);
    Ok(OfferedFile { kind, name, bytes: Bytes::from(file.text), signatures })
}

fn show(activation: &Activation, output: Output) -> Result<(), OutputError> {
    for file in &activation.files {
        let (file, serial, acceptance) = (&file.name, file.serial, &file.acceptance);
        let line = FileLine { event: "file", file, serial, acceptance };
        output.data(&line, || format!("{acceptance}  {file}, serial {serial}"))?;
    }
    let Activation { newly_permitted, newly_denied, changed, left_out, .. } = activation;
    let left_out = *left_out;
    let line =
        DifferenceLine { event: "difference", newly_permitted, newly_denied, changed, left_out };
    output.data(&line, || {
        let counts = [newly_permitted.len(), newly_denied.len(), changed.len()];
        let mut text = match counts {
            [0, 0, 0] => "nothing is decided otherwise".to_owned(),
            [permitted, denied, other] => {
                format!("newly permitted: {permitted}, newly denied: {denied}, otherwise: {other}")
            }
        };
        for change in newly_permitted.iter().chain(newly_denied).chain(changed).take(SHOWN) {
            text += &format!("\n  {change}");
        }
        if counts.iter().sum::<usize>() > SHOWN {
            text += "\n  … `kuriiri policy diff` tells all of it";
        }
        text
    })
}

/// Differences that are shown to a person; `policy diff` shows all of them in order.
const SHOWN: usize = 12;
