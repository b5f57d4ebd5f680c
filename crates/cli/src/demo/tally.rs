//! Who sent what, who got what, and whether it was the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use comfy_table::{Table, presets::UTF8_BORDERS_ONLY};
use kuriiri_client::{Accepted, Inbox};
use kuriiri_types::{Address, Digest, MessageId};
use serde::Serialize;
use tokio::{sync::watch, task::JoinSet};

use crate::system::Document;

/// One copy of one message: the message and its recipient.
type Copy = (MessageId, Address);

/// The books of the demo.
pub(super) struct Tally {
    sent: BTreeMap<Copy, Digest>,
    refused: u64,
    delivered: Delivered,
    receivers: JoinSet<()>,
}

/// What came in, and how often it was shown.
#[derive(Clone)]
struct Delivered {
    copies: Arc<Mutex<BTreeMap<Copy, Vec<Digest>>>>,
    count: watch::Sender<usize>,
}

/// What it all comes to.
#[derive(Debug, Serialize)]
pub(super) struct Result {
    event: &'static str,
    sent: usize,
    delivered: usize,
    refused: u64,
    duplicates: usize,
    lost: usize,
    bodies_equal: bool,
}

impl Tally {
    pub(super) fn new() -> Self {
        let delivered = Delivered { copies: Arc::default(), count: watch::Sender::new(0) };
        Self { sent: BTreeMap::new(), refused: 0, delivered, receivers: JoinSet::new() }
    }

    /// Notes everything that comes into a mailbox from now on, and confirms it.
    pub(super) fn receive(&mut self, mailbox: Address, mut inbox: Inbox) {
        let delivered = self.delivered.clone();
        self.receivers.spawn(async move {
            while let Some(next) = inbox.next().await {
                let Ok(message) = next else { continue };
                let copy = (message.id(), mailbox.clone());
                delivered.note(copy, kuriiri_merkle::digest(message.body()));
                message.confirm_later();
            }
        });
    }

    /// Notes a message that was accepted.
    pub(super) fn accepted(&mut self, document: &Document, accepted: &Accepted) {
        let digest = document.digest();
        for recipient in &accepted.recipients {
            self.sent.insert((accepted.id, recipient.clone()), digest);
        }
    }

    /// Notes a message that was refused.
    pub(super) fn refused(&mut self) {
        self.refused += 1;
    }

    /// How many copies are on their way or there.
    pub(super) fn expected(&self) -> usize {
        self.sent.len()
    }

    /// Waits until so many copies have come in.
    pub(super) async fn until(&self, copies: usize) {
        let mut count = self.delivered.count.subscribe();
        // The sender lives as long as this value.
        let _ = count.wait_for(|count| *count >= copies).await;
    }

    /// True when every copy came in once, as it was sent.
    pub(super) fn is_whole(&self) -> bool {
        let Result { duplicates, lost, bodies_equal, .. } = self.result();
        duplicates == 0 && lost == 0 && bodies_equal
    }

    pub(super) fn result(&self) -> Result {
        let delivered = self.delivered.locked();
        let (sent, came): (BTreeSet<_>, BTreeSet<_>) =
            (self.sent.keys().collect(), delivered.keys().collect());
        let equal = |copy: &&Copy| {
            let digests = delivered.get(*copy).into_iter().flatten();
            digests.into_iter().all(|digest| self.sent.get(*copy) == Some(digest))
        };
        Result {
            event: "result",
            sent: sent.len(),
            delivered: came.len(),
            refused: self.refused,
            duplicates: delivered.values().map(|digests| digests.len().saturating_sub(1)).sum(),
            lost: sent.difference(&came).count(),
            bodies_equal: came.iter().all(equal),
        }
    }

    pub(super) fn table(&self) -> String {
        let Result { sent, delivered, refused, duplicates, lost, bodies_equal, .. } = self.result();
        let equal = if bodies_equal { "all" } else { "NO" };
        let mut table = Table::new();
        table.load_style(UTF8_BORDERS_ONLY).set_header([
            "sent",
            "delivered",
            "refused",
            "duplicates",
            "lost",
            "bodies equal by SHA-256",
        ]);
        table.add_row([
            sent.to_string(),
            delivered.to_string(),
            refused.to_string(),
            duplicates.to_string(),
            lost.to_string(),
            equal.to_owned(),
        ]);
        format!("\n{table}")
    }
}

impl Delivered {
    fn note(&self, copy: Copy, digest: Digest) {
        let count = {
            let mut copies = self.locked();
            copies.entry(copy).or_default().push(digest);
            copies.len()
        };
        self.count.send_replace(count);
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Copy, Vec<Digest>>> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
