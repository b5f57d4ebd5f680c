//! `kuriiri demo`: three ministries and a hub exchange real documents, an officer releases one, a
//! relay is killed, and the logs of all are verified.

mod draft;
mod proof;
mod release;
mod stage;
mod story;
mod tally;

use std::path::PathBuf;

use kuriiri_types::Code;

use crate::{
    documents::DOCUMENTS,
    exit::{DONE, Failure, Outcome, REFUSED},
    output::Output,
    system::{Document, files_in, name_of},
};
use stage::Stage;

/// Show it all on this machine: three ministries and a hub, real messages, a kill and a recovery.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Send the files of this folder instead of the documents that come with the program.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Leave the whole federation in this folder afterwards.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let documents = documents(args)?;
    let stage = Stage::build(args.keep.as_deref(), output).await;
    let mut stage = stage.map_err(|error| Failure::new(Code::CONFIG, error))?;
    let told = story::tell(&mut stage, &documents, output).await;
    let verified = proof::verify(stage.dir(), output).await;
    let dir = stage.strike().await?;
    let (tally, verified) = (told?, verified?);
    output.data(&tally.result(), || tally.table())?;
    if args.keep.is_some() {
        let dir = dir.display();
        output.note(&format!("the federation is left in {dir}; try: kuriiri up {dir}"));
    }
    Ok(if tally.is_whole() && verified { DONE } else { REFUSED })
}

fn documents(args: &Args) -> Result<Vec<Document>, Failure> {
    let Some(folder) = &args.from else {
        let embedded = DOCUMENTS.iter();
        return Ok(embedded
            .map(|(name, body)| Document { name: (*name).into(), body: (*body).into() })
            .collect());
    };
    let read = |path: PathBuf| {
        let body = std::fs::read(&path)?;
        Ok(Document { name: name_of(&path), body: body.into() })
    };
    let files = files_in(folder).map_err(Failure::usage)?;
    let documents: std::io::Result<Vec<_>> = files.into_iter().map(read).collect();
    let documents = documents.map_err(Failure::usage)?;
    if documents.is_empty() {
        return Err(Failure::usage(format!("there is no file in {}", folder.display())));
    }
    Ok(documents)
}
