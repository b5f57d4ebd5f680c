//! The work: numbered bodies from a publisher at node A to a consumer at node B, with a window of
//! unconfirmed messages. Each of the two is a process.

use std::{
    collections::VecDeque,
    io::{BufRead, Write},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail, ensure};
use bytes::{Bytes, BytesMut};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::{System, nats, pki::Pki, process::Worker, rabbitmq};

/// A body holds its number.
pub const BODY_BYTES_MIN: usize = 8;
/// The consumer has the first message: the way is open from end to end.
const OPEN: &str = "open";
/// The publisher may begin.
const BEGIN: &str = "begin";

/// What is carried.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Load {
    /// Messages of each measurement.
    #[arg(long, default_value_t = 100_000, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub messages: u64,
    /// Bytes of each body, at least 8.
    #[arg(long, default_value_t = 1024, value_name = "BYTES")]
    pub size: usize,
    /// Messages that the publisher has under way before it waits for their confirmation.
    #[arg(long, default_value_t = 4096, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub window: u16,
}

/// How a client finds its node.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long)]
    system: System,
    #[arg(long)]
    port: u16,
    #[arg(long)]
    pki: PathBuf,
    #[command(flatten)]
    load: Load,
}

/// Times are nanoseconds of the machine's monotonic clock, which all processes share.
#[derive(Debug, Serialize, Deserialize)]
struct Published {
    began: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Consumed {
    ended: i64,
    repeats: u64,
}

/// Nodes that are ready to carry messages.
pub struct Way<'a> {
    pub system: System,
    /// Where the clients of A and B connect.
    pub ports: [u16; 2],
    pub pki: &'a Pki,
    pub logs: &'a Path,
}

impl Way<'_> {
    /// Lets a publisher and a consumer exchange the load. Gives messages a second.
    pub async fn carry(&self, load: Load) -> anyhow::Result<f64> {
        let [a, b] = self.ports;
        let mut consumer = self.worker("consume", b, load)?;
        let mut publisher = self.worker("publish", a, load)?;
        consumer.says(OPEN).await?;
        publisher.tell(BEGIN).await?;
        let Published { began } = publisher.tells().await?;
        let Consumed { ended, repeats } = consumer.tells().await?;
        if repeats > 0 {
            eprintln!("  {repeats} messages came more than once");
        }
        ensure!(ended > began, "the end is before the beginning");
        Ok(load.messages as f64 * 1e9 / (ended - began) as f64)
    }

    fn worker(&self, role: &str, port: u16, load: Load) -> anyhow::Result<Worker> {
        let mut command = Command::new(std::env::current_exe()?);
        let system = match self.system {
            System::Nats => "nats",
            System::Rabbitmq => "rabbitmq",
            System::Kuriiri => bail!("Kuriiri brings its own clients"),
        };
        command.args([role, "--system", system, "--port", &port.to_string()]);
        command.arg("--pki").arg(self.pki.folder());
        command.args(["--messages", &load.messages.to_string()]);
        command.args(["--size", &load.size.to_string()]);
        command.args(["--window", &load.window.to_string()]);
        Worker::start(command, &self.logs.join(format!("{role}.log")))
    }
}

// === the publisher's process ===

/// A link to node A.
pub trait Publish {
    /// A message that was sent and is not yet confirmed.
    type Sent;

    /// Sends a message.
    async fn send(&mut self, body: Bytes) -> anyhow::Result<Self::Sent>;
    /// Waits until it is confirmed.
    async fn confirm(sent: Self::Sent) -> anyhow::Result<()>;
}

/// What was sent over a link, and is not confirmed yet.
struct Window<P: Publish> {
    publisher: P,
    room: usize,
    unconfirmed: VecDeque<P::Sent>,
}

impl<P: Publish> Window<P> {
    /// Waits for a confirmation only when the window is full.
    async fn send(&mut self, body: Bytes) -> anyhow::Result<()> {
        if self.unconfirmed.len() >= self.room {
            self.confirm_first().await?;
        }
        self.unconfirmed.push_back(self.publisher.send(body).await?);
        Ok(())
    }

    async fn confirm_all(&mut self) -> anyhow::Result<()> {
        while !self.unconfirmed.is_empty() {
            self.confirm_first().await?;
        }
        Ok(())
    }

    async fn confirm_first(&mut self) -> anyhow::Result<()> {
        match self.unconfirmed.pop_front() {
            Some(first) => P::confirm(first).await,
            None => Ok(()),
        }
    }
}

pub async fn publish(args: &Args) -> anyhow::Result<()> {
    let pki = Pki::at(&args.pki);
    match args.system {
        System::Nats => {
            publish_all(nats::Publisher::connect(args.port, &pki).await?, args.load).await
        }
        System::Rabbitmq => {
            publish_all(rabbitmq::Publisher::connect(args.port, &pki).await?, args.load).await
        }
        System::Kuriiri => bail!("Kuriiri brings its own clients"),
    }
}

async fn publish_all(publisher: impl Publish, load: Load) -> anyhow::Result<()> {
    let mut window = Window { publisher, room: load.window.into(), unconfirmed: VecDeque::new() };
    window.send(body(0, load.size)).await?;
    window.confirm_all().await?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    ensure!(line.trim_end() == BEGIN, "not told to begin");
    let began = now();
    for number in 1..=load.messages {
        window.send(body(number, load.size)).await?;
    }
    window.confirm_all().await?;
    say(&serde_json::to_string(&Published { began })?)
}

// === the consumer's process ===

/// A link to node B.
pub trait Consume {
    /// The next message, which is acknowledged.
    async fn next(&mut self) -> anyhow::Result<Bytes>;
    /// Waits until all acknowledgements have left.
    async fn close(self) -> anyhow::Result<()>;
}

pub async fn consume(args: &Args) -> anyhow::Result<()> {
    let pki = Pki::at(&args.pki);
    match args.system {
        System::Nats => {
            consume_all(nats::Consumer::connect(args.port, &pki, args.load).await?, args.load).await
        }
        System::Rabbitmq => {
            consume_all(rabbitmq::Consumer::connect(args.port, &pki, args.load).await?, args.load)
                .await
        }
        System::Kuriiri => bail!("Kuriiri brings its own clients"),
    }
}

async fn consume_all(mut consumer: impl Consume, load: Load) -> anyhow::Result<()> {
    let mut seen = Seen::new(load);
    seen.take(&consumer.next().await?)?;
    say(OPEN)?;
    while !seen.is_all() {
        seen.take(&consumer.next().await?)?;
    }
    let ended = now();
    consumer.close().await?;
    say(&serde_json::to_string(&Consumed { ended, repeats: seen.repeats })?)
}

/// Which numbers came, from 0 to the number of messages.
struct Seen {
    came: Vec<bool>,
    missing: u64,
    repeats: u64,
    size: usize,
}

impl Seen {
    fn new(load: Load) -> Self {
        let missing = load.messages.saturating_add(1);
        let came = vec![false; usize::try_from(missing).unwrap_or(usize::MAX)];
        Self { came, missing, repeats: 0, size: load.size }
    }

    fn take(&mut self, body: &[u8]) -> anyhow::Result<()> {
        ensure!(body.len() == self.size, "a body of {} bytes", body.len());
        let number = body.first_chunk().context("a body without a number")?;
        let place = usize::try_from(u64::from_be_bytes(*number))?;
        let came = self.came.get_mut(place).context("a number that was not sent")?;
        if std::mem::replace(came, true) {
            self.repeats += 1;
        } else {
            self.missing -= 1;
        }
        Ok(())
    }

    fn is_all(&self) -> bool {
        self.missing == 0
    }
}

// === both ===

fn body(number: u64, size: usize) -> Bytes {
    let mut body = BytesMut::zeroed(size);
    body.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
    body.freeze()
}

fn now() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_have_come_when_each_number_has_come_once() {
        let load = Load { messages: 2, size: 16, window: 1 };
        let mut seen = Seen::new(load);
        for number in [0, 2, 2] {
            seen.take(&body(number, 16)).unwrap();
            assert!(!seen.is_all());
        }
        seen.take(&body(1, 16)).unwrap();
        assert!(seen.is_all());
        assert_eq!(seen.repeats, 1);
        assert!(seen.take(&body(3, 16)).is_err(), "never sent");
        assert!(seen.take(&body(1, 17)).is_err(), "of another size");
    }
}
