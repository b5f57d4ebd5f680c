//! `kuriiri send`: sends documents, and can wait for their fate.

mod fate;
mod patience;
mod sources;
mod told;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use kuriiri_client::{Client, Draft};
use kuriiri_types::{
    Address, MessageType, Precedence, ReceiptKind, SpiffeId, Timestamp, WireLabel,
};

use crate::{
    exit::{DONE, Failure, Outcome, REFUSED},
    output::{Output, OutputError},
    receipts::{Proofs, Wanted, refresh},
    system::{As, Document},
    words,
};
use fate::Fates;
use patience::{Patience, with_words};
use sources::{Source, read_group};
use told::Summary;

/// Send documents to mailboxes of any ministry.
///
/// All documents are looked at first: when one cannot be read, nothing is sent. While the relay is away,
/// `send` waits and says so.
///
/// What a relay says of a message counts only if it may say so: refused and expired are for the own relay and
/// the recipient's ministry. What another says of it is shown as hearsay, and is waited on.
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
    /// Wait no longer than this in all, such as '90 s': what has no answer by then is in doubt, and it ends
    /// with 1.
    #[arg(long, value_name = "SPAN", value_parser = words::span_of)]
    timeout: Option<Duration>,
    /// Keep every receipt that comes in this folder, as a file that proves it to anybody. Beside them
    /// `messages.tsv` says which file speaks of which message.
    #[arg(long, value_name = "FOLDER")]
    receipts: Option<PathBuf>,
    /// Files, folders, or - for standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let sources = sources::look(&args.files)?;
    let nobody = || Failure::usage("nobody to send to");
    let to = args.to.split_first().ok_or_else(nobody)?;
    let patience = Patience::of(args.timeout);
    let client = patience.connected(Box::pin(args.system.connect(output))).await?;
    let sent = args.send(&client, to, sources, patience, output).await;
    if let Some(folder) = &args.receipts
        && let Ok(Sent { is_late: false, .. }) = &sent
    {
        tell_of_kept(&client, folder, output).await?;
    }
    patience.close(client).await;
    let Sent { summary, failure, .. } = sent?;
    output.data(&summary, || summary.to_string())?;
    match failure {
        Some(failure) => Err(failure),
        None => Ok(if summary.is_good() { DONE } else { REFUSED }),
    }
}

/// What one `send` came to.
struct Sent {
    summary: Summary,
    /// The time was over before all was known.
    is_late: bool,
    /// Why it could not go on.
    failure: Option<Failure>,
}

/// Refreshes what was kept, also by earlier runs, as far as it is witnessed by now. What cannot be
/// refreshed stays as it is, and does not make the sending fail.
async fn tell_of_kept(client: &Client, folder: &Path, output: Output) -> Result<(), OutputError> {
    match refresh(client, folder, &Wanted::AnyCosignature).await {
        Ok(refreshed) => output.data(&refreshed, || refreshed.to_string()),
        Err(failure) => {
            tracing::warn!(error = failure.what(), "kept receipts could not be refreshed");
            Ok(())
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

    /// Sends all documents, and waits for what was asked for.
    async fn send(
        &self,
        client: &Client,
        (first, others): (&Address, &[Address]),
        sources: Vec<Source>,
        patience: Patience,
        output: Output,
    ) -> Result<Sent, Failure> {
        let proofs = Proofs::in_folder(self.receipts.clone())?;
        let mut fates = Fates::watch(client, self.wait, proofs).await?;
        let bar = progress(sources.len(), output);
        let mut sources = sources.into_iter().peekable();
        let mut failure = None;
        while sources.peek().is_some() && failure.is_none() && !fates.is_late() {
            let (group, unread) = read_group(&mut sources);
            unread.iter().try_for_each(|unread| fates.unread(unread, output))?;
            let drafts: Vec<Draft> = group.iter().map(|d| self.draft(first, others, d)).collect();
            let sending = client.send_many_until(drafts, patience.over());
            let results = with_words(client, output, sending).await;
            for (document, result) in group.iter().zip(results) {
                bar.inc(1);
                failure = failure.or(fates.told(document, result, output)?);
            }
        }
        fates.left_out(sources.count());
        if failure.is_none() {
            with_words(client, output, fates.settle(&bar, patience, output)).await?;
        }
        bar.finish_and_clear();
        Ok(Sent { is_late: fates.is_late(), summary: fates.summary(), failure })
    }
}

/// The name of a person, as the last part of an identity.
fn person(text: &str) -> Result<String, String> {
    if SpiffeId::is_name(text) {
        return Ok(text.into());
    }
    Err(format!("`{text}` is not a name as in spiffe://sm.example/officer/anna"))
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
