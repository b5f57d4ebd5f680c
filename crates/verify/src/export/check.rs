//! Holds an exported part of a log against whom the reader believes.

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader},
    path::Path,
};

use kuriiri_merkle::{leaf, root_from_inclusion};
use kuriiri_tlog::{Checkpoint, ministry_of};
use kuriiri_types::{
    Channel, Digest, Direction, Ministry, Timestamp,
    limits::{HEADER_BYTES_MAX, STATEMENT_SUBJECTS_MAX},
};

use super::{ENTRIES, EXPORT_FORMAT, ExportReport, MANIFEST, Manifest, Selection};
use crate::{
    bundle::{Proved, check_headers},
    finding::{Check, Finding, Findings},
    folder::{CHECKPOINT, FolderError, open_file, read_limited},
    found::{Found, found},
    partial_log::PartialLog,
    trusted::Anchors,
};

/// Bytes of the manifest and of the checkpoint.
const FILE_BYTES_MAX: u64 = 128 * 1024;
/// Bytes of a line: the longest entry in base64, its path and all its headers.
const LINE_BYTES_MAX: u64 =
    FILE_BYTES_MAX + STATEMENT_SUBJECTS_MAX as u64 * (HEADER_BYTES_MAX as u64 * 4 / 3 + 8);

/// Checks an exported folder.
///
/// # Errors
/// When it cannot be read, or is not an export.
pub fn check_export(folder: &Path, anchors: &Anchors) -> Result<ExportReport, FolderError> {
    let manifest = read_manifest(&folder.join(MANIFEST))?;
    let mut findings = Findings::new();
    let file = folder.join(CHECKPOINT);
    let checkpoint = read_checkpoint(&file, anchors, &mut findings)?;
    let home = ministry_of(&checkpoint.origin).filter(|_| manifest.origin == checkpoint.origin);
    let home = home.ok_or_else(|| FolderError::form(&file, "it is of another log"))?;
    let mut reader = Reader {
        partial_log: PartialLog::new((home, &checkpoint.origin), anchors, None),
        checkpoint,
        selection: &manifest.selection,
        last: None,
        run: None,
        has_gap: false,
        links: HashMap::new(),
        period: None,
        count: 0,
    };
    reader.read(&folder.join(ENTRIES), &mut findings)?;
    if reader.count != manifest.entries {
        let what = format!("{} entries are here of {}", reader.count, manifest.entries);
        findings.add(Finding::fault(Check::Proofs, what));
    }
    reader.ends(&mut findings);
    Ok(ExportReport { period: reader.period, chains: reader.chains(), manifest, findings })
}

fn read_manifest(file: &Path) -> Result<Manifest, FolderError> {
    let text = read_limited(file, FILE_BYTES_MAX)?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|error| FolderError::form(file, error.to_string()))?;
    if manifest.format != EXPORT_FORMAT {
        return Err(FolderError::form(file, format!("it is not {EXPORT_FORMAT}")));
    }
    Ok(manifest)
}

/// The checkpoint, whoever signed it; who did is found.
fn read_checkpoint(
    file: &Path,
    anchors: &Anchors,
    findings: &mut Findings,
) -> Result<Checkpoint, FolderError> {
    let note = read_limited(file, FILE_BYTES_MAX)?;
    findings.done(Check::Checkpoint, 1);
    let checkpoint = crate::kept_checkpoints::parsed(&note);
    let checkpoint = checkpoint.ok_or_else(|| FolderError::form(file, "it is no checkpoint"))?;
    match anchors.trust.checkpoint(&note) {
        Ok((_, quorum)) if quorum.met => {}
        Ok(_) => {
            let what = "too few witnesses of the policy cosigned the checkpoint";
            findings.add(Finding::fault(Check::Checkpoint, what));
        }
        Err(error) => findings.add(Finding::fault(Check::Checkpoint, error.to_string())),
    }
    Ok(checkpoint)
}

/// The part of a chain that was seen, from its first link within the period on.
struct Run {
    first: u64,
    /// The number of its last link within the period.
    last: u64,
    /// The last link that follows: its number and leaf hash.
    end: (u64, Digest),
    /// Links do not follow since the last one within the period.
    has_gap: bool,
}

struct Reader<'a> {
    checkpoint: Checkpoint,
    selection: &'a Selection,
    partial_log: PartialLog<'a>,
    last: Option<u64>,
    /// The last entry of an export without a peer, once one within the period was seen.
    run: Option<u64>,
    /// Entries are left out since the last one within the period.
    has_gap: bool,
    links: HashMap<(Ministry, Direction), Run>,
    period: Option<(Timestamp, Timestamp)>,
    count: u64,
}

impl Reader<'_> {
    fn read(&mut self, path: &Path, findings: &mut Findings) -> Result<(), FolderError> {
        let failed = |error| FolderError::io(path, error);
        let mut lines = BufReader::new(open_file(path)?.0);
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut limited = io::Read::take(&mut lines, LINE_BYTES_MAX);
            if limited.read_until(b'\n', &mut line).map_err(failed)? == 0 {
                return Ok(());
            }
            let entry: Proved = serde_json::from_slice(&line)
                .map_err(|error| FolderError::form(path, error.to_string()))?;
            self.entry(entry, findings);
        }
    }

    fn entry(&mut self, proved: Proved, findings: &mut Findings) {
        let Proved { index, entry, path, headers } = proved;
        self.count += 1;
        findings.done(Check::Proofs, 1);
        let hash = leaf(&entry);
        let root = root_from_inclusion(hash, index, self.checkpoint.size, &path);
        let goes_up = self.last.is_none_or(|last| last < index);
        self.last = Some(index);
        if root != Some(self.checkpoint.root) || !goes_up {
            let what = "it is not in the log, or not in the order of the log";
            return findings.add(Finding::fault(Check::Proofs, what).at(index));
        }
        let entry = found((index, entry));
        check_headers(&entry, &headers, findings);
        headers.into_iter().for_each(|header| self.partial_log.bring(header));
        self.whole(&entry, findings);
        self.partial_log.entry(&entry, findings);
    }

    /// The chains that were seen, by peer.
    fn chains(&self) -> Vec<(String, Direction, u64, u64)> {
        let chains = self.links.iter();
        let mut chains: Vec<_> = chains
            .map(|((peer, way), run)| (peer.to_string(), *way, run.first, run.last))
            .collect();
        chains.sort_by(|a, b| (&a.0, a.2).cmp(&(&b.0, b.2)));
        chains
    }

    /// What an export cannot show, and a channel of which it has nothing.
    fn ends(&self, findings: &mut Findings) {
        if self.partial_log.without > 0 {
            let what = format!(
                "{} decisions were not taken again, because the headers are not in the export",
                self.partial_log.without
            );
            findings.add(Finding::note(Check::Headers, what));
        }
        let Some(peer) = &self.selection.peer else {
            let what = "completeness before the first and after the last entry of the period is \
                        not proved by an export";
            return findings.add(Finding::note(Check::Proofs, what));
        };
        let is_whole = self.selection.from.is_none() && self.selection.to.is_none();
        if is_whole && self.links.is_empty() {
            let what =
                format!("it is said to be of the channels with {peer} and has no link of one");
            findings.add(Finding::fault(Check::Channels, what));
        }
        let what = "completeness before the first and after the last message of a channel is not \
                    proved by an export";
        findings.add(Finding::note(Check::Channels, what));
    }

    /// Nothing may be left out between the first entry within the period and the last one. What is between
    /// them belongs to it whatever its time: a clock may have been set back.
    fn whole(&mut self, found: &Found, findings: &mut Findings) {
        let Ok(entry) = &found.entry else { return };
        let is_in = self.selection.has(entry.at);
        if is_in {
            self.period = Some((self.period.map_or(entry.at, |(first, _)| first), entry.at));
        }
        if let Some(peer) = &self.selection.peer {
            let links = entry.channels.iter().filter(|channel| channel.peer == *peer);
            links.for_each(|channel| self.link(channel, found, is_in, findings));
            return;
        }
        if self.run.is_none() && !is_in {
            return;
        }
        let is_next = self.run.replace(found.index).is_none_or(|run| run + 1 == found.index);
        self.has_gap |= !is_next;
        if is_in && std::mem::take(&mut self.has_gap) {
            let what = "entries of the period before it are left out";
            findings.add(Finding::fault(Check::Proofs, what).at(found.index));
        }
    }

    fn link(&mut self, channel: &Channel, found: &Found, is_in: bool, findings: &mut Findings) {
        let key = (channel.peer.clone(), channel.direction);
        let (number, end) = (channel.seq, (channel.seq, found.leaf));
        let Some(run) = self.links.get_mut(&key) else {
            if is_in {
                findings.done(Check::Channels, 1);
                let run = Run { first: number, last: number, end, has_gap: false };
                self.links.insert(key, run);
            }
            return;
        };
        findings.done(Check::Channels, 1);
        run.has_gap |= number.checked_sub(1) != Some(run.end.0) || channel.prev != run.end.1;
        run.end = end;
        if is_in {
            run.last = number;
            if std::mem::take(&mut run.has_gap) {
                let what = "links of the chain before it are left out, or it does not follow";
                findings.add(Finding::fault(Check::Channels, what).at(found.index));
            }
        }
    }
}
