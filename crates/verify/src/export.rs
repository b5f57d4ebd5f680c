//! A part of a log for somebody who may not see the rest.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Write as _},
    path::Path,
};

use kuriiri_merkle::{inclusion, leaf, root_from_inclusion};
use kuriiri_tlog::{Checkpoint, ministry_of};
use kuriiri_types::{Digest, Direction, Entry, LogEvent, Ministry, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    bundle::Proved,
    court::Court,
    find::{each, subject_of},
    finding::{Check, Finding, Findings},
    folder::{CHECKPOINT, FolderError, LogFolder, open_file, read_limited},
    nodes::CachedNodes,
    scan::{Found, found},
    scene::Anchors,
};

/// The format of an export.
pub const EXPORT_FORMAT: &str = "kuriiri-export/1";
const MANIFEST: &str = "export.json";
const ENTRIES: &str = "entries.jsonl";
/// Bytes of a line: the longest entry in base64 and its path.
const LINE_BYTES_MAX: u64 = 128 * 1024;

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
/// `kuriiri-export/1` is a folder: `checkpoint` (the signed note), `export.json` (what was asked for)
/// and `entries.jsonl`, one entry a line with its index, its bytes in base64 and the hashes of its
/// path. An export of a period has every entry of it. An export of a channel has every link of the
/// chains with that peer in the period, and beside them what else the log says of their messages;
/// certificates, signed files and what the log says of its pruning are always with it. Nothing can be left out between the first and the
/// last entry of a period, or between the first and the last link of a chain, without that being
/// seen; of what stands beside the links it can.
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
        self.peer.as_ref().is_some_and(|peer| crate::find::is_link_with(entry, peer))
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
    let subjects = subjects(folder, selection)?;
    let file = File::create(to.join(ENTRIES)).map_err(failed)?;
    let mut writer = Writer {
        out: BufWriter::new(file),
        nodes: CachedNodes::new(folder),
        folder,
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

/// The messages that the links of the wanted channel are about. Before anything is written: what an
/// officer had to release was decided on long before its link.
fn subjects(folder: &LogFolder, selection: &Selection) -> Result<HashSet<Digest>, FolderError> {
    let mut subjects = HashSet::new();
    if selection.peer.is_some() {
        each(folder, |found| {
            let Ok(entry) = &found.entry else { return };
            if selection.has(entry.at) && selection.is_link(entry) {
                subjects.extend(subject_of(&found));
            }
        })?;
    }
    Ok(subjects)
}

struct Writer<'a> {
    out: BufWriter<File>,
    nodes: CachedNodes<'a>,
    folder: &'a LogFolder,
    /// Messages that the links are about; 32 bytes each.
    subjects: HashSet<Digest>,
    count: u64,
}

impl Writer<'_> {
    fn offer(&mut self, found: &Found, selection: &Selection) -> Result<(), FolderError> {
        let Ok(entry) = &found.entry else { return self.write(found) };
        let is_in = selection.has(entry.at);
        let wanted = is_context(&entry.event)
            || match &selection.peer {
                None => is_in,
                Some(_) => {
                    let is_about = |subject| self.subjects.contains(&subject);
                    is_in && selection.is_link(entry) || subject_of(found).is_some_and(is_about)
                }
            };
        if wanted { self.write(found) } else { Ok(()) }
    }

    fn write(&mut self, found: &Found) -> Result<(), FolderError> {
        let path = inclusion(&self.nodes, found.index, self.folder.size())?;
        let line = Proved { index: found.index, entry: found.bytes.clone(), path };
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
        checkpoint,
        selection: &manifest.selection,
        court: Court::new(home, anchors),
        last: None,
        run: None,
        links: HashMap::new(),
        period: None,
        count: 0,
        gaps: Vec::new(),
        pruned: 0,
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
    let text = read_limited(file, LINE_BYTES_MAX)?;
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
    let note = read_limited(file, LINE_BYTES_MAX)?;
    findings.done(Check::Checkpoint, 1);
    let checkpoint = crate::known::parsed(&note);
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

/// The part of a chain that was seen.
struct Run {
    first: u64,
    last: u64,
    leaf: Digest,
}

struct Reader<'a> {
    checkpoint: Checkpoint,
    selection: &'a Selection,
    court: Court<'a>,
    last: Option<u64>,
    /// The last entry within the period, of an export without a peer.
    run: Option<u64>,
    links: HashMap<(Ministry, Direction), Run>,
    period: Option<(Timestamp, Timestamp)>,
    count: u64,
    /// Entries of the period before which others are left out.
    gaps: Vec<u64>,
    /// Entries before this one were pruned, as the log says.
    pruned: u64,
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
        let Proved { index, entry, path } = proved;
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
        self.whole(&entry, findings);
        self.court.entry(&entry, findings);
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

    /// Entries that are left out, unless they were pruned. What is left out ends before the entry.
    fn left_out(&self, findings: &mut Findings) {
        for index in self.gaps.iter().filter(|index| **index > self.pruned) {
            let what = "entries of the period before it are left out";
            findings.add(Finding::fault(Check::Proofs, what).at(*index));
        }
        if self.pruned > 0 {
            let what = format!(
                "the log says that its entries before {} were pruned, but for what others are \
                 judged by",
                self.pruned
            );
            findings.add(Finding::note(Check::Proofs, what));
        }
    }

    /// What an export cannot show, and a channel of which it has nothing.
    fn ends(&self, findings: &mut Findings) {
        self.left_out(findings);
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

    /// Nothing may be left out.
    fn whole(&mut self, found: &Found, findings: &mut Findings) {
        let Ok(entry) = &found.entry else { return };
        if let LogEvent::Pruned { before, .. } = entry.event
            && before <= found.index
        {
            self.pruned = self.pruned.max(before);
        }
        let is_in = self.selection.has(entry.at);
        if is_in {
            self.period = Some((self.period.map_or(entry.at, |(first, _)| first), entry.at));
        }
        let Some(peer) = &self.selection.peer else {
            if is_in {
                let gap = self.run.is_some_and(|run| run + 1 != found.index);
                self.run = Some(found.index);
                self.gaps.extend(gap.then_some(found.index));
            }
            return;
        };
        if !is_in {
            return;
        }
        for channel in entry.channels.iter().filter(|channel| channel.peer == *peer) {
            findings.done(Check::Channels, 1);
            let key = (channel.peer.clone(), channel.direction);
            let before = self.links.get(&key);
            let fits = before.is_none_or(|run| {
                channel.seq.checked_sub(1) == Some(run.last) && channel.prev == run.leaf
            });
            if !fits {
                let what = "links of the chain before it are left out, or it does not follow";
                findings.add(Finding::fault(Check::Channels, what).at(found.index));
            }
            let first = before.map_or(channel.seq, |run| run.first);
            self.links.insert(key, Run { first, last: channel.seq, leaf: found.leaf });
        }
    }
}
