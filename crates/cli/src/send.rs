//! `kuriiri send`: sends documents, and can wait for their fate.

mod fate;

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use kuriiri_client::{Accepted, Client, Draft, SendError};
use kuriiri_types::{
    Address, MessageType, Precedence, ReceiptKind, SpiffeId, Timestamp, WireLabel,
};

use crate::{
    exit::{DONE, Failure, Outcome, REFUSED},
    output::Output,
    receipts::{Proofs, Wanted, refresh},
    system::{As, Document, files_in, name_of},
    words,
};
use fate::Fates;

/// Documents read and handed to the library at once: keeps its batches full and memory small.
const GROUP_MAX: usize = 256;
/// Bytes of documents read at once.
const GROUP_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Send documents to mailboxes of any ministry.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    system: As,
    /// Who must act on it; may be given several times.
    #[arg(long, required = true, value_name = "ADDRESS", value_delimiter = ',')]
    to: Vec<Address>,
    /// Who should know of it; may be given several times.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    info: Vec<Address>,
    /// Who may have it, such as 'FI TL3 REL{PLM}'.
    #[arg(long)]
    label: WireLabel,
    /// How urgent: deferred, routine, priority, immediate, flash or override.
    #[arg(long, default_value = "routine")]
    precedence: Precedence,
    /// Not to be delivered after: a time such as 2026-12-24T12:00:00Z, or a span such as '2 h'.
    #[arg(long, value_name = "WHEN", value_parser = words::parse)]
    expires: Option<Timestamp>,
    /// Who wrote it, if a person did, such as `anna`; this person cannot release it.
    #[arg(long, value_name = "NAME", value_parser = person)]
    drafter: Option<String>,
    /// What it is about: operation, exercise or drill.
    #[arg(long = "type", default_value = "operation", value_parser = words::message_type)]
    message_type: MessageType,
    /// How far to wait: accepted, relayed or delivered.
    #[arg(long, default_value = "accepted", value_name = "RECEIPT", value_parser = words::waitable)]
    wait: ReceiptKind,
    /// Keep every receipt that comes in this folder, as a file that proves it to anybody. Beside them
    /// `messages.tsv` says which file speaks of which message.
    #[arg(long, value_name = "FOLDER")]
    receipts: Option<PathBuf>,
    /// Files, folders, or - for standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let sources = sources(&args.files)?;
    let nobody = || Failure::usage("nobody to send to");
    let (first, others) = args.to.split_first().ok_or_else(nobody)?;
    let client = args.system.connect().await?;
    let proofs = Proofs::in_folder(args.receipts.clone())?;
    let mut fates = Fates::watch(&client, args.wait, proofs).await?;
    let bar = progress(sources.len(), output);
    let mut sources = sources.into_iter().peekable();
    while sources.peek().is_some() {
        let group = read_group(&mut sources)?;
        let drafts: Vec<Draft> = group.iter().map(|d| args.draft(first, others, d)).collect();
        let results = client.send_many(drafts).await;
        for (document, result) in group.iter().zip(results) {
            bar.inc(1);
            args.told(document, result, &mut fates, output)?;
        }
    }
    let outcome = fates.settle(&bar, output).await;
    bar.finish_and_clear();
    if let Some(folder) = &args.receipts {
        tell_of_kept(&client, folder, output).await;
    }
    client.close().await;
    let summary = outcome?;
    output.data(&summary, || summary.to_string());
    Ok(if summary.is_good() { DONE } else { REFUSED })
}

/// Refreshes what was kept, also by earlier runs, as far as it is witnessed by now. What cannot be
/// refreshed stays as it is, and does not make the sending fail.
async fn tell_of_kept(client: &Client, folder: &Path, output: Output) {
    match refresh(client, folder, &Wanted::AnyCosignature).await {
        Ok(refreshed) => output.data(&refreshed, || refreshed.to_string()),
        Err(failure) => {
            let why = failure.error();
            tracing::warn!(error = format!("{why:#}"), "kept receipts could not be refreshed");
        }
    }
}

impl Args {
    fn draft(&self, first: &Address, others: &[Address], document: &Document) -> Draft {
        let draft = others.iter().cloned().fold(Draft::to(first.clone()), Draft::action);
        let draft = self.info.iter().cloned().fold(draft, Draft::info);
        let mut draft = draft
            .label(self.label.clone())
            .precedence(self.precedence)
            .message_type(self.message_type)
            .subject(&document.name)
            .content_type(document.content_type())
            .body(document.body.clone());
        if let Some(drafter) = &self.drafter {
            draft = draft.drafter(drafter);
        }
        match self.expires {
            Some(at) => draft.expires(at),
            None => draft,
        }
    }

    /// Says what the relay said of one document.
    fn told(
        &self,
        document: &Document,
        result: Result<Accepted, SendError>,
        fates: &mut Fates,
        output: Output,
    ) -> Result<(), Failure> {
        match result {
            Ok(accepted) => fates.accepted(document, &accepted, output),
            Err(error) if error.code().number() / 1000 == 2 => {
                fates.refused(document, &error, output)
            }
            Err(error) => Err(Failure::new(error.code(), error)),
        }
    }
}

/// The name of a person, as the last part of an identity.
fn person(text: &str) -> Result<String, String> {
    if SpiffeId::is_name(text) {
        return Ok(text.into());
    }
    Err(format!("`{text}` is not a name as in spiffe://sm.example/officer/anna"))
}

/// Where a document comes from.
enum Source {
    File(PathBuf),
    StandardInput,
}

fn sources(files: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    for file in files {
        if file.as_os_str() == "-" {
            sources.push(Source::StandardInput);
        } else if file.is_dir() {
            let found = files_in(file).with_context(|| file.display().to_string());
            sources.extend(found.map_err(Failure::usage)?.into_iter().map(Source::File));
        } else {
            sources.push(Source::File(file.clone()));
        }
    }
    Ok(sources)
}

/// Reads the next documents, within bounds; at least one.
fn read_group(sources: &mut impl Iterator<Item = Source>) -> Result<Vec<Document>, Failure> {
    let (mut group, mut bytes) = (Vec::new(), 0);
    for source in sources {
        let document = read(&source).map_err(Failure::usage)?;
        bytes += document.body.len();
        group.push(document);
        if group.len() == GROUP_MAX || bytes >= GROUP_BYTES_MAX {
            break;
        }
    }
    Ok(group)
}

fn read(source: &Source) -> anyhow::Result<Document> {
    match source {
        Source::File(path) => {
            let body = std::fs::read(path).with_context(|| path.display().to_string())?;
            Ok(Document { name: name_of(path), body: body.into() })
        }
        Source::StandardInput => {
            let mut body = Vec::new();
            std::io::stdin().read_to_end(&mut body).context("standard input")?;
            Ok(Document { name: String::new(), body: body.into() })
        }
    }
}

fn progress(documents: usize, output: Output) -> ProgressBar {
    if !output.is_watched() || documents < 2 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg} {eta}");
    let bar = ProgressBar::new(documents as u64);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
