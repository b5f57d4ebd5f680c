//! Entries of a log by what they are about.

use kuriiri_merkle::inclusion;
use kuriiri_tlog::TlogProof;
use kuriiri_types::{
    Addressed, ApprovalAct, Decided, Digest, Direction, Entry, Giver, LogEvent, MessageId,
    Ministry, Receipt, Timestamp,
};
use serde::Serialize;
use std::collections::BTreeMap;

use crate::{
    folder::{FolderError, LogFolder},
    found::Found,
    kept_checkpoints::parsed,
    scan::each,
};

/// Recipients that are named in the words for one entry; of more, only their number is.
const WHOM_MAX: usize = 8;

/// An entry, told in a few words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Its place in the log.
    pub index: u64,
    /// When it was written.
    pub at: Timestamp,
    /// Its kind, such as `DECIDED`.
    pub kind: &'static str,
    /// The message that it is about, if it names one alone or was asked for one.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "crate::finding::as_text")]
    pub message: Option<MessageId>,
    /// What it says, in one line.
    pub what: String,
}

/// What a log says of itself, without judging it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Which log.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The root, in hexadecimal.
    pub root: String,
    /// When the first entry was written, and the last.
    pub period: Option<(Timestamp, Timestamp)>,
    /// Names of all keys that are said to have signed the checkpoint.
    pub signed_by: Vec<String>,
    /// How many messages went to each peer, by the decisions in the chains; once for each time.
    pub sent: BTreeMap<String, u64>,
    /// How many came from each.
    pub received: BTreeMap<String, u64>,
    /// Entries by kind.
    pub kinds: BTreeMap<&'static str, u64>,
}

/// Sums up a log, reading all of it.
///
/// # Errors
/// When a bundle cannot be read.
pub fn summary(folder: &LogFolder) -> Result<Summary, FolderError> {
    let note = kuriiri_tlog::Note::parse(folder.note());
    let signatures = note.iter().flat_map(|note| note.signatures());
    let mut summary = Summary {
        origin: folder.checkpoint().origin.clone(),
        size: folder.size(),
        root: folder.checkpoint().root.to_string(),
        period: None,
        signed_by: signatures.map(|signature| signature.name().to_string()).collect(),
        sent: BTreeMap::new(),
        received: BTreeMap::new(),
        kinds: BTreeMap::new(),
    };
    each(folder, |found| {
        let Ok(entry) = &found.entry else { return };
        *summary.kinds.entry(entry.event.kind()).or_default() += 1;
        summary.period = Some((summary.period.map_or(entry.at, |(first, _)| first), entry.at));
        let messages = found.named().len() as u64;
        for channel in &entry.channels {
            let peers = match channel.direction {
                Direction::In => &mut summary.received,
                Direction::Out => &mut summary.sent,
            };
            *peers.entry(channel.peer.to_string()).or_default() += messages;
        }
    })?;
    Ok(summary)
}

/// Every entry about a message, in order: all that say its id, and all that name its header.
///
/// # Errors
/// When a bundle cannot be read.
pub fn find(folder: &LogFolder, message: MessageId) -> Result<Vec<Told>, FolderError> {
    let (mut told, mut headers) = (Vec::new(), Vec::new());
    each(folder, |found| {
        if is_of(&found, message, &mut headers) {
            told.push(tell(&found, Some(message)));
        }
    })?;
    Ok(told)
}

/// Whether an entry is about a message: it says the id, or a header that an entry before it says with
/// the id. Whatever names a header without the id comes after an entry with both.
pub(crate) fn is_of(found: &Found, message: MessageId, headers: &mut Vec<Digest>) -> bool {
    let mut is_about = false;
    for named in found.named() {
        let is_known = headers.contains(&named.header);
        if named.message == Some(message) && !is_known {
            headers.push(named.header);
        }
        is_about |= is_known || named.message == Some(message);
    }
    is_about
}

/// The proof that one entry is in the log, as a C2SP `tlog-proof` file with the entry in it.
///
/// # Errors
/// When there is no such entry, or the files that are needed cannot be read.
pub fn prove(folder: &LogFolder, index: u64) -> Result<Vec<u8>, FolderError> {
    let extra = folder.entry(index)?.to_vec();
    let hashes = inclusion(folder, index, folder.size())?;
    let checkpoint = folder.note().clone();
    Ok(TlogProof { extra, index, hashes, checkpoint }.to_bytes().to_vec())
}

/// An entry in a few words; of one that names many messages, what it says of this one.
pub(crate) fn tell(found: &Found, about: Option<MessageId>) -> Told {
    let (at, kind, what) = match &found.entry {
        Ok(entry) => (entry.at, entry.event.kind(), words(entry, found.came(), about)),
        Err(error) => (Timestamp::default(), "UNREADABLE", error.to_string()),
    };
    let message = about.or_else(|| found.message());
    Told { index: found.index, at, kind, message, what }
}

/// What an entry says.
fn words(entry: &Entry, came: Option<&Receipt>, about: Option<MessageId>) -> String {
    match &entry.event {
        LogEvent::Receipt(receipt) => receipt_words(receipt, about),
        LogEvent::ReceiptIn { from, .. } => match came {
            Some(receipt) => format!("through {from}: {}", receipt_words(receipt, about)),
            None => format!("through {from}: a receipt that cannot be read"),
        },
        LogEvent::Decided(decided) => decided_words(entry, decided, about),
        LogEvent::TurnedAway { by, code, count } => {
            format!("{count} from {}: {code}", giver_words(by))
        }
        LogEvent::Approved { approval, .. } => approval_words(&approval.approval),
        LogEvent::Certificate { der } => format!("{}", kuriiri_merkle::digest(der)),
        LogEvent::PolicyChanged(policy) => {
            let name = |file: &kuriiri_types::FileInForce| format!("{} {}", file.name, file.serial);
            policy.files.iter().map(name).collect::<Vec<_>>().join(", ")
        }
        LogEvent::FilePart(part) => {
            format!("part {} of {} of {}", part.part, part.parts, part.digest)
        }
        LogEvent::PeerCheckpoint { checkpoint } | LogEvent::Restored { checkpoint } => {
            parsed(checkpoint)
                .map_or_else(String::new, |seen| format!("{} at {}", seen.origin, seen.size))
        }
        LogEvent::Booted { software } => software.clone(),
        LogEvent::Erased { header, by, basis, .. } => {
            let what = if *header { "body and header" } else { "body" };
            format!("{what}, by {by} on the basis {basis}")
        }
        LogEvent::Acted { by, what } | LogEvent::Exported { by, what } => format!("{by}: {what}"),
        LogEvent::ClockStepped { from } => format!("it had shown {from}"),
        LogEvent::ChannelHeads(heads) => {
            heads.iter().map(crate::heads::words).collect::<Vec<_>>().join("; ")
        }
        LogEvent::Pruned { until, headers, by, basis } => {
            format!("{headers} headers kept until {until}, by {by} on the basis {basis}")
        }
    }
}

fn decided_words(entry: &Entry, decided: &Decided, about: Option<MessageId>) -> String {
    let word = crate::rules::word_of(decided.ruling);
    let next = decided.next.as_ref().map(|next| format!(", next {next}"));
    let reasons = decided.reasons.join(" ");
    let links: Vec<String> = entry.channels.iter().map(link).collect();
    let mut text = format!("{word} for {}{}", decided.dest, next.unwrap_or_default());
    text.push_str(&among(decided.subjects.len(), about));
    for more in [reasons, links.join(", ")] {
        if !more.is_empty() {
            text = format!("{text}; {more}");
        }
    }
    text
}

/// Of how many messages an entry speaks besides.
fn among(messages: usize, about: Option<MessageId>) -> String {
    match (messages, about) {
        (0 | 1, _) => String::new(),
        (messages, Some(_)) => format!(", as one of {messages}"),
        (messages, None) => format!(", {messages} messages"),
    }
}

fn approval_words(bytes: &[u8]) -> String {
    match kuriiri_wire::approval::decode(bytes) {
        Ok(said) => match said.act {
            ApprovalAct::Release => format!("{} releases it", said.officer),
            ApprovalAct::Reject { .. } => format!("{} rejects it", said.officer),
        },
        Err(error) => error.to_string(),
    }
}

fn link(channel: &kuriiri_types::Channel) -> String {
    let way = match channel.direction {
        Direction::In => "from",
        Direction::Out => "to",
    };
    format!("number {} {way} {}", channel.seq, channel.peer)
}

fn receipt_words(receipt: &Receipt, about: Option<MessageId>) -> String {
    let code = receipt.code.map(|code| format!(" ({code})")).unwrap_or_default();
    let by = receipt.by.as_ref().map(|by| format!(", by {}", giver_words(by)));
    let by = by.unwrap_or_default();
    let is_told = |told: &&Addressed| about.is_none_or(|id| told.subject.message == id);
    let mut recipients: Vec<String> =
        receipt.subjects.iter().filter(is_told).map(|told| told.recipient.to_string()).collect();
    recipients.dedup();
    let whom = match recipients.as_slice() {
        many if many.len() > WHOM_MAX => format!("{} recipients", many.len()),
        few => few.join(", "),
    };
    let among = among(receipt.subjects.len(), about);
    format!("{} says {} for {whom}{among}{code}{by}", receipt.issuer, receipt.kind)
}

fn giver_words(giver: &Giver) -> String {
    match giver {
        Giver::System(system) => system.to_string(),
        Giver::Peer(peer) => peer.to_string(),
    }
}

/// Whether an entry is a link of the chain with a peer.
pub(crate) fn is_link_with(entry: &Entry, peer: &Ministry) -> bool {
    entry.channels.iter().any(|channel| channel.peer == *peer)
}
