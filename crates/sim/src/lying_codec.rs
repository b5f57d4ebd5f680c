//! Encodings that lie, for canaries: what an engine reads back of officers is not what they signed,
//! and what it writes into its log is not what happened.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_types::{
    Approval, Codec, Digest, Entry, Header, LogEvent, LoggedRuling, MessageId, Ministry, Receipt,
    SpiffeId, Timestamp,
};
use kuriiri_wire::{WireCodec, receipt};

use crate::sabotage::Sabotage;

/// Reads signed bytes, and gives out something else.
pub(crate) struct LyingCodec {
    plan: Sabotage,
    home: Ministry,
    /// Approvals read so far.
    read: AtomicU64,
    /// The leaf of the header that was read last.
    last: Mutex<Option<Digest>>,
    /// What was stated last, by this relay and by another.
    stated: Mutex<Option<Receipt>>,
    came: Mutex<Option<LogEvent>>,
}

impl LyingCodec {
    pub(crate) fn new(plan: Sabotage, home: Ministry) -> Self {
        let (last, stated, came) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { plan, home, read: AtomicU64::new(0), last, stated, came }
    }

    /// What goes into the log in the place of what happened.
    fn misquote(&self, event: LogEvent) -> LogEvent {
        let nothing = || LogEvent::ClockStepped { from: Timestamp::default() };
        match (self.plan, event) {
            (Sabotage::MisquotesDecisions, LogEvent::Decided(mut decided)) => {
                decided.ruling = match decided.ruling {
                    LoggedRuling::Permit => LoggedRuling::Hold,
                    LoggedRuling::Hold | LoggedRuling::Deny => LoggedRuling::Permit,
                };
                LogEvent::Decided(decided)
            }
            (Sabotage::HidesReceipts, LogEvent::ReceiptIn { .. })
            | (Sabotage::LosesProofs, LogEvent::ChannelHeads(_)) => nothing(),
            (Sabotage::LosesProofs, LogEvent::ReceiptIn { from, receipt }) => {
                let said = receipt::decode(&receipt.entry).ok();
                let is_proof = said.is_some_and(|said| {
                    said.issuer == from
                        && *said.sender.ministry() != self.home
                        && !said.kind.is_final()
                });
                if is_proof { nothing() } else { LogEvent::ReceiptIn { from, receipt } }
            }
            (Sabotage::MisquotesSignatures, LogEvent::Decided(mut decided)) => {
                if let Some(part) = &mut decided.batch {
                    part.signature = part.signature.iter().map(|byte| byte ^ 1).collect();
                }
                LogEvent::Decided(decided)
            }
            (Sabotage::MisquotesRetention, LogEvent::Decided(mut decided)) => {
                let longer = |until: Timestamp| until.after(Duration::from_millis(1));
                decided.keep_until = decided.keep_until.map(longer);
                LogEvent::Decided(decided)
            }
            (Sabotage::MisquotesReceipts, LogEvent::Receipt(mut said)) => {
                let other = MessageId::new(said.at, [0; 10]);
                said.subjects.iter_mut().for_each(|told| told.subject.message = other);
                LogEvent::Receipt(said)
            }
            (Sabotage::MisquotesSums, LogEvent::ChannelHeads(mut heads)) => {
                heads.iter_mut().for_each(|head| head.count = head.count.saturating_add(1));
                LogEvent::ChannelHeads(heads)
            }
            (Sabotage::MixesSenders, LogEvent::Receipt(said)) => self.mix(said),
            (Sabotage::RepeatsStatements, event @ LogEvent::ReceiptIn { .. }) => {
                let before = locked(&self.came).replace(event.clone());
                before.unwrap_or(event)
            }
            (_, event) => event,
        }
    }

    /// The statement with what was stated before, if that was to somebody else.
    fn mix(&self, mut said: Receipt) -> LogEvent {
        let before = locked(&self.stated).replace(said.clone());
        let other = before.filter(|before| before.sender != said.sender);
        said.subjects.extend(other.into_iter().flat_map(|other| other.subjects));
        LogEvent::Receipt(said)
    }

    /// The same officer under a name that nobody had before.
    fn split(&self, approval: Approval) -> Option<Approval> {
        let number = self.read.fetch_add(1, Ordering::Relaxed);
        let known = approval.officer;
        let name = format!("{}-{number}", known.name());
        let officer = SpiffeId::new(known.ministry().clone(), known.role(), &name).ok()?;
        Some(Approval { officer, ..approval })
    }
}

impl Codec for LyingCodec {
    fn header(&self, bytes: &Bytes) -> Option<Header> {
        *locked(&self.last) = Some(leaf(bytes));
        let header = WireCodec.header(bytes)?;
        let forgets = self.plan == Sabotage::ForgetsDrafters;
        Some(if forgets { Header { drafter: None, ..header } } else { header })
    }

    fn approval(&self, bytes: &Bytes) -> Option<Approval> {
        let approval = WireCodec.approval(bytes)?;
        if self.plan == Sabotage::CountsTwice {
            return self.split(approval);
        }
        let last = *locked(&self.last);
        let fits = last.filter(|_| self.plan == Sabotage::MixesUpWords);
        Some(Approval { subject: fits.unwrap_or(approval.subject), ..approval })
    }

    fn encode_entry(&self, entry: &Entry) -> Bytes {
        if self.plan == Sabotage::Scribbles {
            return Bytes::from_static(b"nothing that can be read");
        }
        let mut entry = entry.clone();
        if self.plan == Sabotage::BreaksChains {
            entry.channels.iter_mut().for_each(|link| link.seq |= 1);
        }
        entry.event = self.misquote(entry.event);
        WireCodec.encode_entry(&entry)
    }

    fn entry(&self, bytes: &Bytes) -> Option<Entry> {
        WireCodec.entry(bytes)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
