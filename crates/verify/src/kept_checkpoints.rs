//! Checkpoints of a log that somebody else kept: the only thing against which a log that its own
//! operator has rewritten fails.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use kuriiri_tlog::{
    Checkpoint, Note, PROOF_BYTES_MAX, TileEdge, TlogProof, Trust, TrustError, ministry_of,
};
use kuriiri_types::{Digest, LogEvent};

use crate::{
    finding::{Check, Finding, Findings, Weight},
    folder::{FolderError, LogFolder, read_limited},
    scan::each,
};

/// One checkpoint that is known of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    size: u64,
    root: Digest,
    /// Where it was found, and in which entry if that is a log.
    source: usize,
    entry: u64,
}

/// Checkpoints that others kept, in the order of their sizes. It grows with how many distinct ones
/// there are, 56 bytes each.
#[derive(Debug, Clone, Default)]
pub struct Known {
    kept: Vec<Kept>,
    /// The largest that witnesses cosigned of earlier logs of the same ministry, one for each and source.
    earlier: Vec<(String, Kept)>,
    sources: Vec<Source>,
    next: usize,
    /// How many were those of the tree, and the size of the largest of them.
    held: u64,
    latest: u64,
}

#[derive(Debug, Clone)]
enum Source {
    /// A file; who signed it was looked at when it was read.
    File(PathBuf),
    /// Another ministry's log.
    Log(LogFolder),
}

impl Known {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a checkpoint of the log with this origin, or all that a folder has of it: notes, and receipts
    /// (`tlog-proof`), which have one each.
    ///
    /// # Errors
    /// When one cannot be read or its log did not sign it, or a single file is of another log.
    pub fn add_file(
        &mut self,
        path: &Path,
        origin: &str,
        trust: &Trust,
    ) -> Result<(), FolderError> {
        if path.is_dir() {
            let failed = |error| FolderError::io(path, error);
            let mut files = fs::read_dir(path)
                .and_then(|files| files.map(|file| Ok(file?.path())).collect::<Result<Vec<_>, _>>())
                .map_err(failed)?;
            // Beside receipts that were kept is a table of them.
            files.retain(|file| file.extension().is_none_or(|extension| extension != "tsv"));
            files.sort();
            return files.iter().try_for_each(|file| self.add_one(file, origin, trust).map(|_| ()));
        }
        if self.add_one(path, origin, trust)? {
            return Ok(());
        }
        Err(FolderError::form(path, format!("it is not a checkpoint of {origin}")))
    }

    /// False when it is of another log.
    fn add_one(&mut self, path: &Path, origin: &str, trust: &Trust) -> Result<bool, FolderError> {
        let file = read_limited(path, PROOF_BYTES_MAX as u64)?;
        // A receipt that was kept has the checkpoint under which it is proved.
        let proof = TlogProof::parse(&file).ok().map(|proof| proof.checkpoint);
        let signed = trust.checkpoint(proof.as_deref().unwrap_or(&file));
        let (checkpoint, _) = match signed {
            Err(TrustError::UnknownLog(other)) if other != origin => return Ok(false),
            signed => signed.map_err(|error| FolderError::form(path, error.to_string()))?,
        };
        if checkpoint.origin != origin {
            return Ok(false);
        }
        let source = self.sources.len();
        self.sources.push(Source::File(path.to_owned()));
        let Checkpoint { size, root, .. } = checkpoint;
        self.kept.push(Kept { size, root, source, entry: 0 });
        Ok(true)
    }

    /// Adds every checkpoint of a log that another ministry's log holds: those it witnessed, and
    /// those that receipts came with. Whose they are is looked at only if they do not fit.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn add_log(&mut self, folder: &LogFolder, origin: &str) -> Result<(), FolderError> {
        let source = self.sources.len();
        self.sources.push(Source::Log(folder.clone()));
        each(folder, |found| {
            let Ok(entry) = found.entry else { return };
            let Some(note) = note_in(&entry.event) else { return };
            if matches!(entry.event, LogEvent::PeerCheckpoint { .. }) {
                self.note_earlier(&note, origin, (source, found.index));
            }
            if let Some(Checkpoint { size, root, .. }) = of_origin(&note, origin)
                // Receipts of one batch come with the same.
                && self.kept.last().is_none_or(|last| (last.size, last.root) != (size, root))
            {
                self.kept.push(Kept { size, root, source, entry: found.index });
            }
        })
    }

    /// Notes a checkpoint that a witness cosigned of an earlier log of the ministry.
    fn note_earlier(&mut self, note: &[u8], origin: &str, (source, entry): (usize, u64)) {
        let Some(Checkpoint { origin: other, size, root }) = parsed(note) else { return };
        if other == origin || ministry_of(&other) != ministry_of(origin) {
            return;
        }
        let kept = Kept { size, root, source, entry };
        let is_same = |(known, one): &&mut (String, Kept)| *known == other && one.source == source;
        match self.earlier.iter_mut().find(is_same) {
            Some((_, known)) if known.size < size => *known = kept,
            Some(_) => {}
            None => self.earlier.push((other, kept)),
        }
    }

    /// A larger checkpoint of an earlier log that a witness cosigned and the log signed, and who has it.
    pub(crate) fn larger(&self, origin: &str, size: u64, trust: &Trust) -> Option<(u64, String)> {
        let larger = |(known, kept): &&(String, Kept)| known == origin && kept.size > size;
        self.earlier.iter().filter(larger).find_map(|(_, kept)| {
            let Some(Source::Log(folder)) = self.sources.get(kept.source) else { return None };
            let note = note_of(&folder.entry(kept.entry).ok()?)?;
            trust.checkpoint(&note).ok()?;
            let by = format!("entry {} of {}", kept.entry, folder.checkpoint().origin);
            Some((kept.size, by))
        })
    }

    /// Sorts what was added.
    pub(crate) fn prepare(&mut self) {
        self.kept.sort_unstable();
        self.kept.dedup_by_key(|kept| (kept.size, kept.root));
        (self.next, self.held, self.latest) = (0, 0, 0);
    }

    /// How much of a log of so many entries nobody has kept a checkpoint of, in words.
    pub(crate) fn unprotected(&self, size: u64) -> Option<String> {
        if self.held == 0 {
            let what = "no earlier checkpoint of this log was given to hold it against; its own \
                        operator may have rewritten it";
            return Some(what.into());
        }
        (self.latest < size).then(|| {
            format!(
                "held against {} checkpoints, the latest at {} of {size} entries; what follows is \
                 not protected by it, and its own operator may have rewritten it",
                self.held, self.latest
            )
        })
    }

    /// Holds those of the tree's present size against it.
    pub(crate) fn check(&mut self, tree: &TileEdge, trust: &Trust, out: &mut Findings) {
        while let Some(kept) = self.kept.get(self.next).copied() {
            if kept.size > tree.size() {
                return;
            }
            self.next += 1;
            if kept.size < tree.size() {
                let what = format!(
                    "this copy lacks the entries up to the {}th, so a checkpoint of that size was not held against it",
                    kept.size
                );
                out.add(Finding::unchecked(Check::Growth, what));
                continue;
            }
            out.done(Check::Growth, 1);
            if kept.root == tree.root() {
                (self.held, self.latest) = (self.held + 1, kept.size);
            } else {
                let size = kept.size;
                self.tell(&kept, (Weight::Fault, trust), out, |by| {
                    format!("{by} has another root at {size} entries: the log was rewritten")
                });
            }
        }
    }

    /// What is left is larger than the log.
    pub(crate) fn finish(&mut self, tree: &TileEdge, trust: &Trust, out: &mut Findings) {
        while let Some(kept) = self.kept.get(self.next).copied() {
            self.next += 1;
            out.done(Check::Growth, 1);
            let (had, has) = (kept.size, tree.size());
            // What the auditor has is from before; what another's log has may be newer than this copy of the log,
            // and proves nothing.
            let weight = match self.sources.get(kept.source) {
                Some(Source::File(_)) => Weight::Fault,
                Some(Source::Log(_)) | None => Weight::Unchecked,
            };
            self.tell(&kept, (weight, trust), out, |by| {
                format!(
                    "{by} has {had} entries and the log as it was given only {has}: it was rolled back, unless \
                     this is an older copy of it; a copy of all {had} settles which"
                )
            });
        }
    }

    fn tell(
        &self,
        kept: &Kept,
        (weight, trust): (Weight, &Trust),
        out: &mut Findings,
        say: impl Fn(String) -> String,
    ) {
        let found = |what| Finding { weight, ..Finding::fault(Check::Growth, what) };
        match self.sources.get(kept.source) {
            Some(Source::File(path)) => {
                let by = format!("the checkpoint {}", path.display());
                out.add(found(say(by)));
            }
            Some(Source::Log(folder)) => {
                let by = format!(
                    "the checkpoint in entry {} of {}",
                    kept.entry,
                    folder.checkpoint().origin
                );
                let note = folder.entry(kept.entry).ok().and_then(|entry| note_of(&entry));
                let is_signed = note.is_some_and(|note| trust.checkpoint(&note).is_ok());
                out.add(if is_signed {
                    found(say(by))
                } else {
                    let what = format!("{by} is not one that the log signed, and does not count");
                    Finding::note(Check::Growth, what)
                });
            }
            None => {}
        }
    }
}

/// The checkpoint of another log that an entry holds.
pub(crate) fn note_in(event: &LogEvent) -> Option<Bytes> {
    if let LogEvent::PeerCheckpoint { checkpoint } = event {
        Some(checkpoint.clone())
    } else if let LogEvent::ReceiptIn { receipt, .. } = event {
        Some(receipt.checkpoint.clone())
    } else {
        None
    }
}

fn note_of(entry: &[u8]) -> Option<Bytes> {
    kuriiri_wire::entry::decode(entry).ok().and_then(|entry| note_in(&entry.event))
}

/// The checkpoint in a note, if it is one of this log, whoever signed it.
pub(crate) fn of_origin(note: &[u8], origin: &str) -> Option<Checkpoint> {
    parsed(note).filter(|checkpoint| checkpoint.origin == origin)
}

/// The checkpoint in a note, whoever signed it.
pub(crate) fn parsed(note: &[u8]) -> Option<Checkpoint> {
    Checkpoint::parse(Note::parse(note).ok()?.text()).ok()
}
