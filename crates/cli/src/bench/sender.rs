//! The sending end of a measurement: it sends, and reads the receipts as a real system would.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use kuriiri_client::{Client, Draft};
use kuriiri_types::{MessageId, ReceiptKind};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::{
    cpu::CpuTime,
    load::{Bodies, Documents, WARM_UP},
};
use crate::{
    exit::{DONE, Failure, Outcome},
    output::Output,
    system::As,
};

/// Groups that the window falls into, or more if there are more connections. A group is handed to the
/// library at once, and the next when all of it is accepted; the others are under way meanwhile.
const GROUPS: usize = 4;

/// Send so many messages and say how long everything took.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    system: As,
    #[arg(long)]
    messages: u64,
    /// Bytes of each body.
    #[arg(long, default_value_t = 1024)]
    size: usize,
    /// Files below this folder are the bodies, in turn.
    #[arg(long)]
    documents: Option<PathBuf>,
    #[arg(long)]
    connections: usize,
    #[arg(long)]
    window: usize,
    #[arg(long)]
    rate: Option<u64>,
}

/// What the sender saw. Times in milliseconds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told {
    /// From the first message sent to the last receipt `delivered`.
    pub(super) seconds: f64,
    pub(super) accepted: Percentiles,
    pub(super) relayed: Percentiles,
    pub(super) delivered: Percentiles,
    pub(super) cpu: CpuTime,
}

/// Of one kind of receipt, in milliseconds after sending.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Percentiles {
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// When a message was sent, and when it was known to be accepted.
pub(super) type Sent = (MessageId, Instant, Instant);

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let mut clients = Vec::new();
    for _ in 0..args.connections.max(1) {
        clients.push(args.system.connect(output).await?);
    }
    let first = clients.first().cloned().ok_or_else(|| Failure::usage("no connection"))?;
    let messages = args.messages;
    let drafts = Drafts::of(&args.bodies()?);
    let (opens, opened) = oneshot::channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(read_receipts(first.clone(), messages.saturating_add(WARM_UP), opens));
    first.send(drafts.draft(messages)?).await.map_err(|error| Failure::new(error.code(), error))?;
    let is_open = opened.await.is_ok();
    let (before, begin) = (CpuTime::own()?, Instant::now());
    let sent = match args.rate {
        // The reader has ended, and says below why.
        _ if !is_open => Vec::new(),
        Some(rate) => send_steadily(&clients, &drafts, messages, rate).await?,
        None => send_fast(&clients, &drafts.bodies, messages, args.window.max(1)).await?,
    };
    let receipts = tasks.join_next().await.ok_or_else(|| Failure::usage("no reader"))??;
    let told = told(begin, &sent, &receipts?, CpuTime::own()?.since(before));
    output.data(&told, String::new)?;
    for client in clients {
        client.close().await;
    }
    Ok(DONE)
}

impl Args {
    fn bodies(&self) -> anyhow::Result<Bodies> {
        Ok(match &self.documents {
            Some(folder) => Bodies::Documents(Documents::read(folder)?),
            None => Bodies::numbered(self.size),
        })
    }
}

/// Makes messages that differ in nothing but their bodies.
#[derive(Clone)]
struct Drafts {
    to: &'static str,
    bodies: Bodies,
}

impl Drafts {
    fn of(bodies: &Bodies) -> Self {
        Self { to: "kirjaamo@plm.example", bodies: bodies.clone() }
    }

    fn draft(&self, number: u64) -> anyhow::Result<Draft> {
        let draft = Draft::to(self.to.parse()?).label("FI JULK".parse()?);
        Ok(draft.body(self.bodies.body(number)?))
    }
}

/// Sends so many messages as fast as they go, a window of them at once.
pub(super) async fn send_fast(
    clients: &[Client],
    bodies: &Bodies,
    messages: u64,
    window: usize,
) -> anyhow::Result<Vec<Sent>> {
    let drafts = Drafts::of(bodies);
    let (groups, size) = groups(window, clients.len());
    let next = Arc::new(AtomicU64::new(0));
    let mut rows = JoinSet::new();
    for client in clients.iter().cycle().take(groups) {
        let (client, drafts, next) = (client.clone(), drafts.clone(), Arc::clone(&next));
        rows.spawn(async move {
            let mut sent = Vec::new();
            loop {
                let from = next.fetch_add(size, Ordering::Relaxed);
                if from >= messages {
                    return anyhow::Ok(sent);
                }
                let numbers = from..messages.min(from.saturating_add(size));
                let group = numbers.map(|n| drafts.draft(n)).collect::<anyhow::Result<Vec<_>>>()?;
                let begin = Instant::now();
                for result in client.send_many(group).await {
                    sent.push((result?.id, begin, Instant::now()));
                }
            }
        });
    }
    let mut sent = Vec::new();
    while let Some(row) = rows.join_next().await {
        sent.extend(row??);
    }
    Ok(sent)
}

/// How many groups a window falls into, and the messages of each.
fn groups(window: usize, connections: usize) -> (usize, u64) {
    let groups = GROUPS.max(connections).min(window);
    (groups, u64::try_from(window / groups).unwrap_or(u64::MAX))
}

async fn send_steadily(
    clients: &[Client],
    drafts: &Drafts,
    messages: u64,
    rate: u64,
) -> anyhow::Result<Vec<Sent>> {
    let mut ticks = interval(Duration::from_secs_f64(1.0 / rate as f64));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut sends = JoinSet::new();
    for (number, client) in (0..messages).zip(clients.iter().cycle()) {
        ticks.tick().await;
        let (client, draft) = (client.clone(), drafts.draft(number)?);
        sends.spawn(async move {
            let begin = Instant::now();
            let accepted = client.send(draft).await?;
            anyhow::Ok((accepted.id, begin, Instant::now()))
        });
    }
    let mut sent = Vec::new();
    while let Some(done) = sends.join_next().await {
        sent.push(done??);
    }
    Ok(sent)
}

/// When a receipt of each kind came for each message.
type Receipts = HashMap<(MessageId, ReceiptKind), Instant>;

/// Reads receipts and lets the relay forget them, until every message is known to be delivered. Says
/// when the first is.
async fn read_receipts(
    client: Client,
    messages: u64,
    opens: oneshot::Sender<()>,
) -> anyhow::Result<Receipts> {
    let (mut receipts, mut opens) = (client.receipts(), Some(opens));
    let (mut came, mut delivered) = (Receipts::new(), 0);
    while delivered < messages {
        let placed = receipts.next().await.context("the client has ended")??;
        let (kind, now) = (placed.receipt().kind, Instant::now());
        anyhow::ensure!(
            matches!(kind, ReceiptKind::Relayed | ReceiptKind::Delivered),
            "a message was {kind}"
        );
        for (message, _) in placed.about() {
            // After a break of the link a receipt is shown again.
            let is_new = came.insert((message, kind), now).is_none();
            delivered += u64::from(is_new && kind == ReceiptKind::Delivered);
        }
        if delivered > 0 {
            // Whoever does not wait for it has failed already.
            let _ = opens.take().map(|opens| opens.send(()));
        }
        receipts.confirm(&placed);
    }
    receipts.close().await;
    Ok(came)
}

fn told(begin: Instant, sent: &[Sent], receipts: &Receipts, cpu: CpuTime) -> Told {
    let last = receipts.values().max().copied().unwrap_or(begin);
    let of = |kind: ReceiptKind| {
        let times = sent.iter().filter_map(|(id, at, _)| Some((*receipts.get(&(*id, kind))?, *at)));
        Percentiles::of(times.map(|(came, at)| came.duration_since(at)))
    };
    Told {
        seconds: last.duration_since(begin).as_secs_f64(),
        accepted: Percentiles::of(sent.iter().map(|(_, at, done)| done.duration_since(*at))),
        relayed: of(ReceiptKind::Relayed),
        delivered: of(ReceiptKind::Delivered),
        cpu,
    }
}

impl Percentiles {
    fn of(times: impl Iterator<Item = Duration>) -> Self {
        let mut times: Vec<Duration> = times.collect();
        times.sort_unstable();
        let at = |percent: usize| {
            let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        Self { p50: at(50), p99: at(99) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_never_passed_and_hardly_missed() {
        for (window, connections, expected) in
            [(4096, 1, (4, 1024)), (4096, 3, (4, 1024)), (4096, 6, (6, 682)), (2, 8, (2, 1))]
        {
            assert_eq!(groups(window, connections), expected, "{window} {connections}");
        }
    }
}
