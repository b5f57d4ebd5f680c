//! What becomes of the messages of one `send`.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use indicatif::ProgressBar;
use kuriiri_client::{Accepted, Client, SendError, Watch};
use kuriiri_types::{Address, MessageId, Receipt, ReceiptKind};
use serde::Serialize;

use crate::{exit::Failure, output::Output, receipts::Proofs, system::Document};

/// The messages of one `send`, and what is still waited for.
pub(super) struct Fates {
    until: ReceiptKind,
    watch: Option<Watch>,
    proofs: Proofs,
    /// What each accepted message still waits for, and what a person would call it.
    open: HashMap<MessageId, (String, HashSet<Address>)>,
    summary: Summary,
}

/// How many documents, or copies of them, came how far.
#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    event: &'static str,
    documents: u64,
    accepted: u64,
    refused: u64,
    /// Copies, one for each recipient, with this receipt; only when waited for.
    relayed: u64,
    delivered: u64,
    not_delivered: u64,
}

#[derive(Serialize)]
struct Told<'a> {
    event: &'a str,
    file: &'a str,
    id: Option<String>,
    at: Option<String>,
    size: Option<usize>,
    sha256: Option<String>,
    recipient: Option<String>,
    /// Officers who have to release it before it leaves.
    waits_for: Option<u32>,
    code: Option<String>,
    reasons: &'a [String],
}

impl Fates {
    /// Begins to look on before the first message goes, so that no receipt is missed.
    pub(super) async fn watch(
        client: &Client,
        until: ReceiptKind,
        proofs: Proofs,
    ) -> Result<Self, Failure> {
        let watch = match until {
            ReceiptKind::Accepted => None,
            ReceiptKind::Relayed
            | ReceiptKind::Delivered
            | ReceiptKind::Refused
            | ReceiptKind::Expired => {
                Some(client.watch().await.map_err(|e| Failure::new(e.code(), e))?)
            }
        };
        let summary = Summary { event: "sent", ..Summary::default() };
        Ok(Self { until, watch, proofs, open: HashMap::new(), summary })
    }

    pub(super) fn accepted(
        &mut self,
        document: &Document,
        accepted: &Accepted,
        output: Output,
    ) -> Result<(), Failure> {
        accepted.receipts.iter().try_for_each(|receipt| self.proofs.keep(receipt))?;
        self.summary.documents += 1;
        self.summary.accepted += 1;
        if self.watch.is_some() {
            let open = (document.name.clone(), accepted.recipients.iter().cloned().collect());
            self.open.insert(accepted.id, open);
        }
        let told = Told {
            id: Some(accepted.id.to_string()),
            at: Some(accepted.at.to_string()),
            size: Some(document.body.len()),
            sha256: Some(document.digest().to_string()),
            waits_for: Some(accepted.waits_for),
            ..Told::of("accepted", &document.name)
        };
        let waits = match accepted.waits_for {
            0 => String::new(),
            1 => "; waits for 1 releasing officer".into(),
            n => format!("; waits for {n} releasing officers"),
        };
        output.data(&told, || format!("accepted   {}  {}{waits}", accepted.id, document.name));
        Ok(())
    }

    pub(super) fn refused(
        &mut self,
        document: &Document,
        error: &SendError,
        output: Output,
    ) -> Result<(), Failure> {
        error.receipts().iter().try_for_each(|receipt| self.proofs.keep(receipt))?;
        self.summary.documents += 1;
        self.summary.refused += 1;
        let code = error.code();
        let reasons = error.reasons();
        let told =
            Told { code: Some(code.to_string()), reasons, ..Told::of("refused", &document.name) };
        output.data(&told, || {
            let reasons: String = reasons.iter().map(|r| format!("\n             {r}")).collect();
            format!("refused    {code} {}  {}{reasons}", code.title(), document.name)
        });
        Ok(())
    }

    /// Waits for the receipts that were asked for.
    pub(super) async fn settle(
        mut self,
        bar: &ProgressBar,
        output: Output,
    ) -> Result<Summary, Failure> {
        let Some(mut watch) = self.watch.take() else { return Ok(self.summary) };
        bar.set_length(self.open.len() as u64);
        while !self.open.is_empty() {
            let waiting = self.open.len() as u64;
            bar.set_position(bar.length().unwrap_or(waiting).saturating_sub(waiting));
            bar.set_message(self.until.as_str());
            match watch.next().await {
                Some(Ok(placed)) => {
                    if placed.about().any(|(message, _)| self.open.contains_key(&message)) {
                        self.proofs.keep(placed.verified())?;
                    }
                    for (message, recipient) in placed.about() {
                        self.told(placed.receipt(), message, recipient, output);
                    }
                }
                Some(Err(error)) => return Err(Failure::new(error.code(), error)),
                None => break,
            }
        }
        Ok(self.summary)
    }

    /// Notes what a receipt says of one message and recipient.
    fn told(&mut self, receipt: &Receipt, message: MessageId, recipient: &Address, output: Output) {
        let Some((name, recipients)) = self.open.get_mut(&message) else { return };
        let counted = match receipt.kind {
            ReceiptKind::Relayed => Some(&mut self.summary.relayed),
            ReceiptKind::Delivered => Some(&mut self.summary.delivered),
            ReceiptKind::Refused | ReceiptKind::Expired => Some(&mut self.summary.not_delivered),
            ReceiptKind::Accepted => None,
        };
        if let Some(count) = counted {
            *count += 1;
        }
        let told = Told {
            id: Some(message.to_string()),
            at: Some(receipt.at.to_string()),
            recipient: Some(recipient.to_string()),
            code: receipt.code.map(|code| code.to_string()),
            reasons: &receipt.reasons,
            ..Told::of(receipt.kind.as_str(), name)
        };
        let kind = receipt.kind;
        output.data(&told, || {
            let why = receipt.code.map(|c| format!("  {c} {}", c.title())).unwrap_or_default();
            format!("{kind:<10} {message}  {name} -> {recipient}{why}")
        });
        // Local mailboxes have no next relay: what is delivered was relayed, in effect.
        if kind.is_final() || kind == self.until {
            recipients.remove(recipient);
        }
        if recipients.is_empty() {
            self.open.remove(&message);
        }
    }
}

impl<'a> Told<'a> {
    fn of(event: &'a str, file: &'a str) -> Self {
        Self {
            event,
            file,
            id: None,
            at: None,
            size: None,
            sha256: None,
            recipient: None,
            waits_for: None,
            code: None,
            reasons: &[],
        }
    }
}

impl Summary {
    /// True when nothing was refused and nothing failed.
    pub(super) fn is_good(&self) -> bool {
        self.refused == 0 && self.not_delivered == 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sent: {} accepted, {} refused", self.documents, self.accepted, self.refused)?;
        let receipts = [
            ("relayed", self.relayed),
            ("delivered", self.delivered),
            ("not delivered", self.not_delivered),
        ];
        receipts.iter().filter(|(_, n)| *n > 0).try_for_each(|(what, n)| write!(f, ", {n} {what}"))
    }
}
