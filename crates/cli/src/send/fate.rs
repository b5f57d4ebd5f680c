//! What becomes of the messages of one `send`.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use indicatif::ProgressBar;
use kuriiri_client::{Accepted, Client, Course, PlacedReceipt, SendError, Watch, Word};
use kuriiri_types::{Address, Addressed, Digest, Receipt, ReceiptKind};

use super::{
    patience::Patience,
    sources::Unread,
    told::{Summary, Told},
};
use crate::{
    exit::Failure,
    output::{Output, OutputError, line},
    receipts::Proofs,
    system::Document,
};

/// The messages of one `send`, and what is still waited for.
pub(super) struct Fates {
    until: ReceiptKind,
    watch: Option<Watch>,
    proofs: Proofs,
    /// Accepted messages that wait for something, by the digests of their headers.
    open: HashMap<Digest, Open>,
    is_late: bool,
    summary: Summary,
}

/// An accepted message.
struct Open {
    /// What a person would call it.
    name: Arc<str>,
    course: Course,
    waiting: HashSet<Address>,
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
            | ReceiptKind::Expired
            | ReceiptKind::SetAside => {
                Some(client.watch().await.map_err(|e| Failure::new(e.code(), e))?)
            }
        };
        let summary = Summary { event: "sent", ..Summary::default() };
        Ok(Self { until, watch, proofs, open: HashMap::new(), is_late: false, summary })
    }

    /// Whether the time was over before an answer.
    pub(super) fn is_late(&self) -> bool {
        self.is_late
    }

    /// Documents that nobody came to.
    pub(super) fn left_out(&mut self, documents: usize) {
        self.summary.not_sent += documents as u64;
    }

    pub(super) fn summary(self) -> Summary {
        self.summary
    }

    /// A document that could not be read any more.
    pub(super) fn unread(&mut self, unread: &Unread, output: Output) -> Result<(), OutputError> {
        self.summary.documents += 1;
        self.summary.failed += 1;
        let Unread { name, why } = unread;
        let reasons = [why.clone()];
        let told = Told { reasons: &reasons, ..Told::of("unread", name) };
        output.data(&told, || format!("unread     {}: {why}", line(name)))
    }

    /// Says what the relay said of one document. Gives what keeps all others from being sent too.
    pub(super) fn told(
        &mut self,
        document: &Document,
        result: Result<Accepted, SendError>,
        output: Output,
    ) -> Result<Option<Failure>, Failure> {
        match result {
            Ok(accepted) => self.accepted(document, &accepted, output).map(|()| None),
            Err(error) => {
                self.not_accepted(document, &error, output)?;
                let is_its_own = error.code().number() / 1000 == 2;
                let is_other = !is_its_own && !matches!(error, SendError::TimedOut);
                Ok(is_other.then(|| Failure::new(error.code(), error)))
            }
        }
    }

    fn accepted(
        &mut self,
        document: &Document,
        accepted: &Accepted,
        output: Output,
    ) -> Result<(), Failure> {
        accepted.receipts.iter().try_for_each(|receipt| self.proofs.keep(receipt))?;
        self.summary.documents += 1;
        self.summary.accepted += 1;
        self.wait_for(document, accepted);
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
        let name = line(&document.name);
        output.data(&told, || format!("accepted   {}  {name}{waits}", accepted.id))?;
        Ok(())
    }

    /// What was accepted at home for a mailbox at home needs no relay any more.
    fn wait_for(&mut self, document: &Document, accepted: &Accepted) {
        if self.watch.is_none() {
            return;
        }
        let home = accepted.from.ministry();
        let is_there = |to: &&Address| self.until == ReceiptKind::Relayed && to.ministry() == home;
        let waiting: HashSet<Address> =
            accepted.recipients.iter().filter(|to| !is_there(to)).cloned().collect();
        if !waiting.is_empty() {
            let (name, course) = (document.name.as_str().into(), accepted.course());
            self.open.insert(accepted.header, Open { name, course, waiting });
        }
    }

    fn not_accepted(
        &mut self,
        document: &Document,
        error: &SendError,
        output: Output,
    ) -> Result<(), Failure> {
        error.receipts().iter().try_for_each(|receipt| self.proofs.keep(receipt))?;
        self.summary.documents += 1;
        let code = error.code();
        let (event, count) = if matches!(error, SendError::TimedOut) {
            self.is_late = true;
            ("in-doubt", &mut self.summary.in_doubt)
        } else if code.number() / 1000 == 2 {
            ("refused", &mut self.summary.refused)
        } else {
            ("failed", &mut self.summary.failed)
        };
        *count += 1;
        let reasons = error.reasons();
        let told = Told {
            code: Some(code.to_string()),
            reasons: &reasons,
            ..Told::of(event, &document.name)
        };
        output.data(&told, || {
            let list: String =
                reasons.iter().map(|r| format!("\n             {}", line(r))).collect();
            format!("{event:<10} {code} {}  {}{list}", code.title(), line(&document.name))
        })?;
        Ok(())
    }

    /// Waits for the receipts that were asked for, as long as there is time.
    pub(super) async fn settle(
        &mut self,
        bar: &ProgressBar,
        patience: Patience,
        output: Output,
    ) -> Result<(), Failure> {
        let Some(mut watch) = self.watch.take() else { return Ok(()) };
        bar.set_length(self.open.len() as u64);
        while !self.open.is_empty() {
            let waiting = self.open.len() as u64;
            bar.set_position(bar.length().unwrap_or(waiting).saturating_sub(waiting));
            bar.set_message(self.until.as_str());
            match patience.within(watch.next()).await {
                Some(Some(Ok(placed))) => self.came(&placed, output)?,
                Some(Some(Err(error))) => return Err(Failure::new(error.code(), error)),
                Some(None) => break,
                None => {
                    self.is_late = true;
                    break;
                }
            }
        }
        let unsettled: usize = self.open.values().map(|open| open.waiting.len()).sum();
        self.summary.unsettled = unsettled as u64;
        Ok(())
    }

    /// A receipt came: it is kept if it speaks of a message of this `send`, and counts where it may.
    fn came(&mut self, placed: &PlacedReceipt, output: Output) -> Result<(), Failure> {
        let is_ours = |told: &Addressed| self.open.contains_key(&told.subject.header);
        if placed.subjects().iter().any(is_ours) {
            self.proofs.keep(placed.verified())?;
        }
        for told in placed.subjects() {
            self.hear(placed.receipt(), told, output)?;
        }
        Ok(())
    }

    /// Notes what a receipt says of one message and recipient.
    fn hear(
        &mut self,
        receipt: &Receipt,
        told: &Addressed,
        output: Output,
    ) -> Result<(), OutputError> {
        let Some(open) = self.open.get_mut(&told.subject.header) else { return Ok(()) };
        let word = open.course.hear(receipt, told);
        if word == Word::Foreign {
            return Ok(());
        }
        let name = Arc::clone(&open.name);
        if word == Word::News {
            let until = self.until;
            let is_past = open
                .course
                .progress()
                .any(|(to, come)| *to == told.recipient && come.is_past(until));
            if is_past {
                open.waiting.remove(&told.recipient);
            }
            if open.waiting.is_empty() {
                self.open.remove(&told.subject.header);
            }
            self.count(receipt.kind);
        }
        tell(receipt, told, &name, word == Word::Hearsay, output)
    }

    fn count(&mut self, kind: ReceiptKind) {
        match kind {
            ReceiptKind::Relayed => self.summary.relayed += 1,
            ReceiptKind::Delivered => self.summary.delivered += 1,
            ReceiptKind::Refused | ReceiptKind::Expired => self.summary.not_delivered += 1,
            ReceiptKind::SetAside => self.summary.set_aside += 1,
            ReceiptKind::Accepted => {}
        }
    }
}

fn tell(
    receipt: &Receipt,
    addressed: &Addressed,
    name: &str,
    hearsay: bool,
    output: Output,
) -> Result<(), OutputError> {
    let (message, recipient, kind) =
        (addressed.subject.message, &addressed.recipient, receipt.kind);
    let told = Told {
        id: Some(message.to_string()),
        at: Some(receipt.at.to_string()),
        recipient: Some(recipient.to_string()),
        issuer: Some(receipt.issuer.to_string()),
        code: receipt.code.map(|code| code.to_string()),
        reasons: &receipt.reasons,
        says: hearsay.then_some(kind.as_str()),
        ..Told::of(if hearsay { "hearsay" } else { kind.as_str() }, name)
    };
    output.data(&told, || {
        let why = receipt.code.map(|c| format!("  {c} {}", c.title())).unwrap_or_default();
        let who = match hearsay {
            true => format!(
                "\n             hearsay of {}: neither the own relay nor {} says so, and it is waited on",
                receipt.issuer,
                recipient.ministry()
            ),
            false => String::new(),
        };
        format!("{kind:<10} {message}  {} -> {recipient}{why}{who}", line(name))
    })
}
