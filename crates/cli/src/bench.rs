//! `kuriiri bench`: how fast the real path is on this machine, and what it is measured against.

mod auditing;
mod backlog;
mod cpu;
mod disk;
mod figures;
mod limits;
mod load;
mod receiver;
mod relays;
mod report;
mod sender;
mod worker;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{
    example,
    exit::{DONE, Failure, Outcome},
    output::Output,
    ports::free_ports,
};
use backlog::Backlog;
use figures::Figures;
use limits::Limits;
use load::{Bodies, Documents, Load};
pub(crate) use receiver::Args as ReceiverArgs;
use relays::{Carried, Relays};
use report::{DocumentFigures, Measured, Report};
pub(crate) use sender::Args as SenderArgs;

pub(crate) use receiver::run as run_receiver;
pub(crate) use sender::run as run_sender;

/// Measure the real path: client, relay, relay, client, each a process, every check and barrier on.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Messages of the measurement at full speed.
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    messages: u64,
    /// Bytes of each body.
    #[arg(long, default_value_t = 1024, value_name = "BYTES")]
    size: usize,
    /// Connections of the sending system.
    #[arg(long, default_value_t = 1, value_name = "N")]
    connections: usize,
    /// Messages that the sending system has under way, at most, before it waits for `accepted`.
    #[arg(long, default_value_t = 4096, value_name = "N")]
    window: usize,
    /// Messages a second of the measurement of latencies.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    rate: u64,
    /// Messages of the measurement of latencies; 0 for none.
    #[arg(long, default_value_t = 3000, value_name = "N")]
    rate_messages: u64,
    /// Messages of a further measurement with bodies of 16 KiB; 0 for none.
    #[arg(long, default_value_t = 4000, value_name = "N")]
    large_messages: u64,
    /// Messages that gather for a relay that is away, and go once it is there; 0 for no such measurement.
    /// A million of 1 KiB take a minute or two, and some GiB of disk.
    #[arg(long, default_value_t = 0, value_name = "N")]
    backlog: u64,
    /// Measure a third time with the files below this folder as bodies, one after the other and again.
    #[arg(long, value_name = "FOLDER")]
    documents: Option<PathBuf>,
    /// Messages of that measurement; without, as many as make 128 MiB, 4,000 at most, and each file
    /// once.
    #[arg(long, requires = "documents", value_name = "N")]
    document_messages: Option<u64>,
}

/// Bytes of a large body: the largest that is kept beside its header, and not in a file of its own.
const LARGE_BODY_BYTES: usize = 16 * 1024;

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let documents = args.documents.as_deref().map(Documents::read).transpose();
    let bench = Bench { args, documents: documents.map_err(Failure::usage)?, output };
    let report = bench.measure().await.map_err(Failure::from)?;
    output.data(&report, || report.to_string())?;
    Ok(DONE)
}

/// What is to be measured.
struct Bench<'a> {
    args: &'a Args,
    documents: Option<Documents>,
    output: Output,
}

impl Bench<'_> {
    async fn measure(&self) -> anyhow::Result<Report> {
        let dir = TempDir::with_prefix("kuriiri-bench-")?;
        let federation = dir.path().join("federation");
        example::write_new(&federation, free_ports()?)?;
        self.output.note("measuring the machine's own limits");
        let before = Limits::measure(dir.path())?;
        let mut relays = Relays::new(&federation).await?;
        let main = self.main(&mut relays).await?;
        let large = self.large(&mut relays).await?;
        let documents = self.documents(&mut relays).await?;
        let backlog = self.backlog(dir.path(), main.delivered_per_second).await?;
        let limits = before.and(Limits::measure(dir.path())?);
        self.output.note("auditing the log of the sender's relay");
        let audited = auditing::measure(&federation.join("sm"), relays.messages())?;
        let (connections, window) = (self.args.connections.max(1), self.args.window.max(1));
        let measured =
            Measured { connections, window, main, large, documents, backlog, audited, limits };
        Ok(measured.into())
    }

    /// Latencies first, while little is on the disk, then full speed.
    async fn main(&self, relays: &mut Relays) -> anyhow::Result<Figures> {
        let fast = self.load(self.args.messages, Bodies::numbered(self.args.size));
        let steady = match self.args.rate_messages {
            0 => None,
            messages => Some(self.steadily(relays, &fast, messages, self.args.rate).await?),
        };
        let figures = Figures::of(&fast, &self.fast(relays, &fast).await?);
        Ok(match steady {
            Some(steady) => figures.with_steady(&steady),
            None => figures,
        })
    }

    async fn large(&self, relays: &mut Relays) -> anyhow::Result<Option<Figures>> {
        if self.args.large_messages == 0 {
            return Ok(None);
        }
        let load = self.load(self.args.large_messages, Bodies::numbered(LARGE_BODY_BYTES));
        Ok(Some(self.both(relays, &load).await?))
    }

    async fn documents(&self, relays: &mut Relays) -> anyhow::Result<Option<DocumentFigures>> {
        let Some(documents) = &self.documents else { return Ok(None) };
        let messages = self.args.document_messages.unwrap_or_else(|| documents.messages());
        let load = self.load(messages, Bodies::Documents(documents.clone()));
        let figures = self.both(relays, &load).await?;
        Ok(Some(DocumentFigures { files: documents.count(), figures }))
    }

    async fn backlog(&self, dir: &Path, delivered: f64) -> anyhow::Result<Option<Backlog>> {
        if self.args.backlog == 0 {
            return Ok(None);
        }
        let federation = dir.join("backlog");
        example::write_new(&federation, free_ports()?)?;
        let load = self.load(self.args.backlog, Bodies::numbered(self.args.size));
        self.output
            .note(&format!("letting {} messages gather for a relay that is away", load.messages));
        Ok(Some(backlog::measure(&federation, &load, delivered, self.output).await?))
    }

    /// Full speed, and then latencies for two seconds at a rate that such bodies can be sent at.
    async fn both(&self, relays: &mut Relays, load: &Load) -> anyhow::Result<Figures> {
        let figures = Figures::of(load, &self.fast(relays, load).await?);
        if self.args.rate_messages == 0 {
            return Ok(figures);
        }
        let rate = easy_rate(self.args.rate, figures.delivered_per_second);
        let messages = self.args.rate_messages.min(rate.saturating_mul(2));
        let steady = self.steadily(relays, load, messages, rate).await?;
        Ok(figures.with_steady(&steady))
    }

    fn load(&self, messages: u64, bodies: Bodies) -> Load {
        let (connections, window) = (self.args.connections.max(1), self.args.window.max(1));
        Load { messages: messages.max(1), bodies, connections, window, rate: None }
    }

    async fn fast(&self, relays: &mut Relays, load: &Load) -> anyhow::Result<Carried> {
        let (messages, size) = (load.messages, load.bodies.size());
        self.output
            .note(&format!("sending {messages} messages of {size} bytes as fast as they go"));
        relays.carry(load).await
    }

    async fn steadily(
        &self,
        relays: &mut Relays,
        load: &Load,
        messages: u64,
        rate: u64,
    ) -> anyhow::Result<Carried> {
        let (rate, size) = (rate.max(1), load.bodies.size());
        self.output
            .note(&format!("sending {messages} messages of {size} bytes at {rate} a second"));
        relays.carry(&Load { messages, rate: Some(rate), ..load.clone() }).await
    }
}

/// A rate at which nothing queues: the one that was asked for, or a quarter of what was delivered.
#[expect(clippy::cast_possible_truncation, reason = "a float becomes the nearest number there is")]
#[expect(clippy::cast_sign_loss, reason = "a rate is not negative")]
fn easy_rate(asked: u64, delivered: f64) -> u64 {
    asked.min((delivered / 4.0) as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_measured_where_nothing_queues() {
        assert_eq!(easy_rate(1000, 8000.0), 1000);
        assert_eq!(easy_rate(1000, 400.0), 100);
        assert_eq!(easy_rate(1000, 2.0), 1);
        assert_eq!(easy_rate(0, 8000.0), 1);
    }
}
