//! A part of a log for somebody who may not see the rest.

mod check;

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    ops::RangeInclusive,
    path::Path,
};

use bytes::Bytes;
use kuriiri_merkle::inclusion;
use kuriiri_types::{Digest, Direction, Entry, LogEvent, Ministry, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::check::check_export;
use crate::{
    bundle::Proved,
    finding::Findings,
    folder::{CHECKPOINT, FolderError, LogFolder},
    found::Found,
    nodes::CachedNodes,
    query::is_link_with,
    scan::each,
};

/// The format of an export.
pub const EXPORT_FORMAT: &str = "kuriiri-export/2";
const MANIFEST: &str = "export.json";
const ENTRIES: &str = "entries.jsonl";

/// What of a log is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// From this time on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Up to and with this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Only the chains with this peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Ministry>,
}

/// What an export says of itself.
///
/// `kuriiri-export/2` is a folder: `checkpoint` (the signed note), `export.json` (what was asked for)
/// and `entries.jsonl`, one entry a line with its index, its bytes in base64, the hashes of its path, and
/// headers of messages that it names first. An export of a period has every entry from the first
/// whose time is within it to the last, whatever clock was set between them, with all headers that are
/// left. An export of a channel has every link of the chains with that peer from the first within the
/// period to the last, and beside them what else the log says of their messages; of headers it has those
/// of these messages alone. Certificates, signed files and what the log says of headers that were pruned are always with
/// it. Nothing can be left out between the first and the last entry of a period, or between the first
/// and the last link of a chain, without that being seen; of what is beside the links, and of headers,
/// it can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`EXPORT_FORMAT`].
    pub format: String,
    /// Which log.
    pub origin: String,
    /// What was asked for.
    pub selection: Selection,
    /// How many entries there are.
    pub entries: u64,
}

/// What an export comes to.
#[derive(Debug, Clone, Serialize)]
pub struct ExportReport {
    /// What it says of itself.
    pub manifest: Manifest,
    /// The times of the first entry and the last.
    pub period: Option<(Timestamp, Timestamp)>,
    /// The chains: peer, direction, first and last number.
    pub chains: Vec<(String, Direction, u64, u64)>,
    /// What was found.
    #[serde(skip)]
    pub findings: Findings,
}

impl Selection {
    fn has(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at <= to)
    }

    fn is_link(&self, entry: &Entry) -> bool {
        self.peer.as_ref().is_some_and(|peer| is_link_with(entry, peer))
    }
}

/// Writes a part of a log to a folder that is not there yet. Gives how many entries it has.
///
/// # Errors
/// When the log cannot be read or the folder not be written.
pub fn export(folder: &LogFolder, selection: &Selection, to: &Path) -> Result<u64, FolderError> {
    let failed = |error| FolderError::io(to, error);
    fs::create_dir(to).map_err(failed)?;
    fs::write(to.join(CHECKPOINT), folder.note()).map_err(failed)?;
    let within = within(folder, selection)?;
    let subjects = subjects(folder, selection, &within)?;
    let file = File::create(to.join(ENTRIES)).map_err(failed)?;
    let mut writer = Writer {
        out: BufWriter::new(file),
        nodes: CachedNodes::new(folder),
        folder,
        within,
        subjects,
        count: 0,
    };
    let mut problem = None;
    each(folder, |found| {
        if problem.is_none() {
            problem = writer.offer(&found, selection).err();
        }
    })?;
    if let Some(problem) = problem {
        return Err(problem);
    }
    writer.out.flush().map_err(failed)?;
    let manifest = Manifest {
        format: EXPORT_FORMAT.to_owned(),
        origin: folder.checkpoint().origin.clone(),
        selection: selection.clone(),
        entries: writer.count,
    };
    let text = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    fs::write(to.join(MANIFEST), text).map_err(failed)?;
    Ok(manifest.entries)
}

/// The places from the first entry, or link of the wanted channel, whose time is within the period to the last.
/// Times fall where a clock was set back, and places do not.
fn within(folder: &LogFolder, selection: &Selection) -> Result<RangeInclusive<u64>, FolderError> {
    if selection.from.is_none() && selection.to.is_none() {
        return Ok(0..=u64::MAX);
    }
    let mut ends: Option<(u64, u64)> = None;
    each(folder, |found| {
        let Ok(entry) = &found.entry else { return };
        let is_wanted = selection.peer.is_none() || selection.is_link(entry);
        if is_wanted && selection.has(entry.at) {
            ends = Some((ends.map_or(found.index, |(first, _)| first), found.index));
        }
    })?;
    let (first, last) = ends.unwrap_or((1, 0));
    Ok(first..=last)
}

/// The messages that the links of the wanted channel are about. Before anything is written: what an
/// officer had to release was decided on long before its link.
fn subjects(
    folder: &LogFolder,
    selection: &Selection,
    within: &RangeInclusive<u64>,
) -> Result<HashSet<Digest>, FolderError> {
    let mut subjects = HashSet::new();
    if selection.peer.is_some() {
        each(folder, |found| {
            let Ok(entry) = &found.entry else { return };
            if within.contains(&found.index) && selection.is_link(entry) {
                subjects.extend(found.named().into_iter().map(|named| named.header));
            }
        })?;
    }
    Ok(subjects)
}

struct Writer<'a> {
    out: BufWriter<File>,
    nodes: CachedNodes<'a>,
    folder: &'a LogFolder,
    /// The places of the period.
    within: RangeInclusive<u64>,
    /// Messages that the links are about; 32 bytes each.
    subjects: HashSet<Digest>,
    count: u64,
}

impl Writer<'_> {
    fn offer(&mut self, found: &Found, selection: &Selection) -> Result<(), FolderError> {
        let Ok(entry) = &found.entry else { return self.write(found, Vec::new()) };
        let is_in = self.within.contains(&found.index);
        let is_of_peer = |header: Digest| self.subjects.contains(&header);
        let is_wanted = is_context(&entry.event)
            || match &selection.peer {
                None => is_in,
                Some(_) => {
                    let is_link = is_in && selection.is_link(entry);
                    is_link || found.named().iter().any(|named| is_of_peer(named.header))
                }
            };
        if !is_wanted {
            return Ok(());
        }
        let headers = found.first_named().filter_map(|(named, header)| {
            let is_for_reader = selection.peer.is_none() || is_of_peer(named.header);
            header.filter(|_| is_for_reader).cloned()
        });
        self.write(found, headers.collect())
    }

    fn write(&mut self, found: &Found, headers: Vec<Bytes>) -> Result<(), FolderError> {
        let path = inclusion(&self.nodes, found.index, self.folder.size())?;
        let line = Proved { index: found.index, entry: found.bytes.clone(), path, headers };
        let failed = |error: io::Error| FolderError::io(self.folder.path(), error);
        let text = serde_json::to_string(&line).map_err(|error| failed(error.into()))?;
        writeln!(self.out, "{text}").map_err(failed)?;
        self.count += 1;
        Ok(())
    }
}

/// What every export needs to be judged.
fn is_context(event: &LogEvent) -> bool {
    matches!(
        event,
        LogEvent::Certificate { .. }
            | LogEvent::FilePart(_)
            | LogEvent::PolicyChanged(_)
            | LogEvent::Pruned { .. }
    )
}
