//! `kuriiri receive`: takes messages out of a mailbox.

mod keep;

use std::{path::PathBuf, time::Duration};

use kuriiri_client::{Client, Inbox, Message, ReceiveError, ReceiveOptions};
use kuriiri_types::{Address, Marker};
use serde::Serialize;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::timeout,
};

use crate::{
    exit::{DONE, Failure, Outcome, REFUSED},
    output::Output,
    system::As,
    words::type_word,
};

/// Without --count and --follow: how long nothing may come before the mailbox counts as empty,
/// when the relay says that something is left. Another receiver may have it.
const QUIET: Duration = Duration::from_secs(2);

/// Receive the messages of a mailbox.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    system: As,
    /// The mailbox, if not the system's own.
    #[arg(long, value_name = "ADDRESS")]
    mailbox: Option<Address>,
    /// Write each body to a file in this folder; without it, bodies go to standard output.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Wait until so many have come.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Go on until interrupted.
    #[arg(long, conflicts_with = "count")]
    follow: bool,
}

#[derive(Serialize)]
struct Received<'a> {
    event: &'static str,
    id: String,
    from: String,
    signer: String,
    label: Option<String>,
    precedence: &'static str,
    r#type: &'static str,
    subject: &'a str,
    content_type: &'a str,
    created: String,
    sealed: bool,
    size: usize,
    sha256: String,
    /// To be shown before and after the body.
    markers: &'a [Marker],
    /// Whether it may be passed on.
    onward: &'static str,
    /// To be erased by then, in seconds from now.
    retain_max: Option<u64>,
    /// The officers who released it.
    approved_by: Vec<String>,
    file: Option<PathBuf>,
    /// The body as text, when it is not written to a file and is text.
    body: Option<&'a str>,
    /// The body in hexadecimal, when it is not written to a file and is no text.
    body_hex: Option<String>,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).map_err(Failure::usage)?;
    }
    let client = args.system.connect().await?;
    let options = ReceiveOptions { mailbox: args.mailbox.clone(), ..ReceiveOptions::default() };
    let mut inbox = client.receive(options);
    let mut receiver = Receiver { args, client, output, received: 0, unacceptable: 0 };
    let outcome = tokio::select! {
        outcome = receiver.run(&mut inbox) => outcome,
        outcome = interrupted() => outcome,
    };
    let Receiver { client, received, unacceptable, .. } = receiver;
    // The inbox must live until its confirmations have gone.
    client.close().await;
    drop(inbox);
    outcome?;
    output.note(&format!("{received} received"));
    Ok(if unacceptable == 0 { DONE } else { REFUSED })
}

async fn interrupted() -> Result<(), Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

struct Receiver<'a> {
    args: &'a Args,
    client: Client,
    output: Output,
    received: u64,
    unacceptable: u64,
}

impl Receiver<'_> {
    async fn run(&mut self, inbox: &mut Inbox) -> Result<(), Failure> {
        while self.args.count.is_none_or(|count| self.received < count) {
            let next = if self.args.follow || self.args.count.is_some() {
                inbox.next().await
            } else {
                match timeout(QUIET, inbox.next()).await {
                    Ok(next) => next,
                    Err(_) => return Ok(()),
                }
            };
            match next {
                None => return Ok(()),
                Some(Ok(message)) => self.take(message).await?,
                Some(Err(error)) => self.complain(error)?,
            }
            if !self.args.follow && self.args.count.is_none() && self.is_empty().await {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Keeps a message where the user wants it, then confirms it: never the other way round.
    async fn take(&mut self, message: Message) -> Result<(), Failure> {
        let file = match &self.args.out {
            Some(folder) => Some(keep::write(folder, &message)?),
            None => None,
        };
        self.show(&message, file);
        self.received += 1;
        match &self.args.count {
            Some(count) if self.received == *count => {
                // A confirmation that was lost is made again with the next inbox.
                message.confirm().await.map_err(|e| Failure::new(e.code(), e))
            }
            _ => {
                message.confirm_later();
                Ok(())
            }
        }
    }

    fn show(&self, message: &Message, file: Option<PathBuf>) {
        let (header, body) = (message.header(), message.body());
        let text = std::str::from_utf8(body).ok().filter(|_| file.is_none());
        let hex = || body.iter().map(|b| format!("{b:02x}")).collect();
        let handling = message.handling();
        let approved_by = message.approvals().iter().map(|a| a.officer().to_string());
        let received = Received {
            event: "received",
            id: header.id.to_string(),
            from: header.from.to_string(),
            signer: message.sender().to_string(),
            label: header.label.as_ref().map(ToString::to_string),
            precedence: header.precedence.as_str(),
            r#type: type_word(header.message_type),
            subject: &header.subject,
            content_type: &header.content_type,
            created: header.created.to_string(),
            sealed: message.was_sealed(),
            size: body.len(),
            sha256: kuriiri_merkle::digest(body).to_string(),
            markers: &handling.markers,
            onward: handling.onward.as_str(),
            retain_max: handling.retain_max.map(|span| span.as_secs()),
            approved_by: approved_by.collect(),
            body: text,
            body_hex: (file.is_none() && text.is_none()).then(hex),
            file,
        };
        self.mark(&handling.markers);
        self.output.data(&received, || received.to_string());
        self.mark(&handling.markers);
    }

    /// Markers stand first and last, in every language.
    fn mark(&self, markers: &[Marker]) {
        for Marker { fi, sv, en } in markers {
            self.output.note(&format!("{fi}\n{sv}\n{en}"));
        }
    }

    /// A message that is not what it should be stays in the mailbox, and the user hears of it.
    fn complain(&mut self, error: ReceiveError) -> Result<(), Failure> {
        match error {
            ReceiveError::Unacceptable { .. } => {
                self.unacceptable += 1;
                self.output.note(&format!("{}: {error:#}", error.code()));
                Ok(())
            }
            error @ (ReceiveError::Refused(_) | ReceiveError::Closed) => {
                Err(Failure::new(error.code(), error))
            }
        }
    }

    /// True when the relay says that nothing waits but what cannot be accepted.
    async fn is_empty(&self) -> bool {
        let Ok(report) = self.client.status().await else { return false };
        let mailbox =
            self.args.mailbox.as_ref().unwrap_or_else(|| self.client.address()).to_string();
        let waiting = report.mailboxes.iter().find(|queue| queue.name == mailbox);
        waiting.is_some_and(|queue| queue.messages <= self.unacceptable)
    }
}

impl std::fmt::Display for Received<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let label = self.label.as_deref().unwrap_or("no label");
        let sealed = if self.sealed { ", sealed" } else { "" };
        write!(
            f,
            "received   {}  {} from {} [{label}, {}{sealed}] {} bytes",
            self.id, self.subject, self.from, self.precedence, self.size
        )?;
        if let Some(file) = &self.file {
            write!(f, " -> {}", file.display())?;
        }
        self.body.iter().try_for_each(|body| write!(f, "\n{body}"))
    }
}
