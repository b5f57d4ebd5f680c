//! `kuriiri receive`: takes messages out of a mailbox.

mod keep;
mod shown;

use std::{collections::HashSet, path::PathBuf, time::Duration};

use kuriiri_client::{Client, Inbox, Message, ReceiveError, ReceiveOptions};
use kuriiri_types::{Address, Marker, MessageId};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::timeout,
};

use crate::{
    exit::{DONE, Failure, Outcome, REFUSED},
    files::unwritten,
    output::{Output, OutputError},
    system::As,
};
use shown::{Left, Received};

/// Without --count and --follow: how long nothing may come before the mailbox counts as empty,
/// when the relay says that something is left. Another receiver may have it.
const QUIET: Duration = Duration::from_secs(2);

/// Receive the messages of a mailbox.
///
/// A message is confirmed when it was written: to standard output, and to the disk if that is a file; with
/// --out, to a file of its own that is on the disk. Of a pipe no more is known than that it took the message;
/// who must not lose any uses --out.
///
/// Ends with 1 when messages could not be written and stay in the mailbox, or could not be opened or verified:
/// those are set aside at the relay, for an operator (`kuriiri aside`).
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

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).map_err(|error| unwritten(folder, error))?;
    }
    let client = args.system.connect(output).await?;
    let options = ReceiveOptions { mailbox: args.mailbox.clone(), ..ReceiveOptions::default() };
    let mut inbox = client.receive(options);
    let mut receiver = Receiver { args, client, output, received: 0, left: Leftover::default() };
    let outcome = tokio::select! {
        outcome = receiver.run(&mut inbox) => outcome,
        outcome = interrupted() => outcome,
    };
    let Receiver { client, received, left, .. } = receiver;
    // The inbox must live until its confirmations have gone.
    client.close().await;
    drop(inbox);
    outcome?;
    output.note(&format!("{received} received"));
    Ok(if left.is_none() { DONE } else { REFUSED })
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
    left: Leftover,
}

/// What was not taken.
#[derive(Debug, Default)]
struct Leftover {
    /// What is good and could not be written: it stays in the mailbox. It comes again with each link, and is one
    /// message nevertheless.
    unwritten: HashSet<MessageId>,
    /// How many were given back and are set aside.
    set_aside: u64,
}

impl Leftover {
    fn is_none(&self) -> bool {
        self.unwritten.is_empty() && self.set_aside == 0
    }

    fn unwritten(&self) -> u64 {
        u64::try_from(self.unwritten.len()).unwrap_or(u64::MAX)
    }
}

impl Receiver<'_> {
    async fn run(&mut self, inbox: &mut Inbox) -> Result<(), Failure> {
        while self.args.count.is_none_or(|count| self.received + self.left.unwritten() < count) {
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

    /// Keeps a message where the user wants it and says so, then confirms it: never the other way round.
    async fn take(&mut self, message: Message) -> Result<(), Failure> {
        let header = message.header();
        let (id, subject) = (header.id, &header.subject);
        let kept = self.args.out.as_ref().map(|out| keep::write(out, id, subject, message.body()));
        let file = match kept.transpose() {
            Ok(file) => file,
            Err(failure) => return Ok(self.leave(id, &failure)?),
        };
        self.show(&message, file)?;
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

    fn show(&self, message: &Message, file: Option<PathBuf>) -> Result<(), OutputError> {
        let received = Received::of(message, file);
        self.mark(&message.handling().markers);
        self.output.data(&received, || received.to_string())?;
        self.output.settle()?;
        self.mark(&message.handling().markers);
        Ok(())
    }

    /// Markers stand first and last, in every language.
    fn mark(&self, markers: &[Marker]) {
        for Marker { fi, sv, en } in markers {
            self.output.note(&format!("{fi}\n{sv}\n{en}"));
        }
    }

    /// A message that could not be written stays in the mailbox, and those behind it are taken.
    fn leave(&mut self, id: MessageId, failure: &Failure) -> Result<(), OutputError> {
        self.left.unwritten.insert(id);
        Left::unwritten(id, failure).tell(self.output)
    }

    /// A message that is not what it should be is set aside by the relay, and the user hears of it.
    fn complain(&mut self, error: ReceiveError) -> Result<(), Failure> {
        match error {
            ReceiveError::Unacceptable { id, .. } => {
                self.left.set_aside += 1;
                Ok(Left::unacceptable(id, error).tell(self.output)?)
            }
            error @ (ReceiveError::Refused(_) | ReceiveError::Closed) => {
                Err(Failure::new(error.code(), error))
            }
        }
    }

    /// True when the relay says that nothing waits but what could not be written.
    async fn is_empty(&self) -> bool {
        let Ok(report) = self.client.status().await else { return false };
        let mailbox =
            self.args.mailbox.as_ref().unwrap_or_else(|| self.client.address()).to_string();
        let waiting = report.mailboxes.iter().find(|queue| queue.name == mailbox);
        waiting.is_some_and(|queue| queue.messages <= self.left.unwritten())
    }
}
