//! What a power cut would leave: names and content as they were when the disk was last asked to keep
//! them, and nothing else.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File, Metadata},
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

/// A file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Id {
    number: u64,
    /// Numbers are used again.
    made: Option<SystemTime>,
    is_dir: bool,
}

#[derive(Debug, Clone)]
enum Event {
    File(Id, Arc<Vec<u8>>),
    Dir(Id, BTreeMap<OsString, Id>),
    /// Not of the disk: the caller was told that this is durable.
    Acknowledged(u64),
}

/// All that happens below a folder.
#[derive(Debug, Clone)]
pub(crate) struct Recording {
    root: PathBuf,
    events: Arc<Mutex<Vec<Event>>>,
}

static RECORDINGS: Mutex<Vec<Recording>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recording {
    pub(crate) fn begin(root: &Path) -> Self {
        let root = fs::canonicalize(root).unwrap();
        let recording = Self { root, events: Arc::default() };
        recording.dir(&recording.root);
        lock(&RECORDINGS).push(recording.clone());
        recording
    }

    pub(crate) fn acknowledge(&self, number: u64) {
        lock(&self.events).push(Event::Acknowledged(number));
    }

    /// How many moments there are at which the power can fail.
    pub(crate) fn moments(&self) -> usize {
        lock(&self.events).len()
    }

    /// Lays out what is left when the power fails at a moment. Gives what was acknowledged before it.
    pub(crate) fn leave(&self, moment: usize, target: &Path) -> u64 {
        let mut left = Left::default();
        let mut acknowledged = 0;
        for event in lock(&self.events).iter().take(moment).cloned() {
            match event {
                Event::File(id, bytes) => drop(left.files.insert(id, bytes)),
                Event::Dir(id, names) => drop(left.dirs.insert(id, names)),
                Event::Acknowledged(number) => acknowledged = number,
            }
        }
        left.lay(id(&fs::metadata(&self.root).unwrap()), target);
        acknowledged
    }

    fn file(&self, file: &File) {
        let bytes = fs::read(link(file)).unwrap();
        let event = Event::File(id(&file.metadata().unwrap()), Arc::new(bytes));
        lock(&self.events).push(event);
    }

    fn dir(&self, dir: &Path) {
        let names = fs::read_dir(dir).unwrap().map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name(), id(&entry.metadata().unwrap()))
        });
        let event = Event::Dir(id(&fs::metadata(dir).unwrap()), names.collect());
        lock(&self.events).push(event);
    }

    fn all(&self, dir: &Path) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { self.all(&path) } else { self.file(&File::open(path).unwrap()) }
        }
        self.dir(dir);
    }
}

#[derive(Debug, Default)]
struct Left {
    files: BTreeMap<Id, Arc<Vec<u8>>>,
    dirs: BTreeMap<Id, BTreeMap<OsString, Id>>,
}

impl Left {
    fn lay(&self, dir: Id, target: &Path) {
        for (name, id) in self.dirs.get(&dir).into_iter().flatten() {
            let target = target.join(name);
            if id.is_dir {
                fs::create_dir(&target).unwrap();
                self.lay(*id, &target);
            } else {
                // The name is there, and perhaps nothing of what was written.
                fs::write(target, self.files.get(id).map_or(&[][..], |bytes| bytes)).unwrap();
            }
        }
    }
}

fn id(meta: &Metadata) -> Id {
    Id { number: meta.ino(), made: meta.created().ok(), is_dir: meta.is_dir() }
}

fn link(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// The recordings of what is above a path.
fn of(path: &Path) -> Vec<Recording> {
    let Ok(path) = fs::canonicalize(path) else { return Vec::new() };
    let recordings = lock(&RECORDINGS);
    recordings.iter().filter(|recording| path.starts_with(&recording.root)).cloned().collect()
}

pub(super) fn note_file(file: &File) {
    of(&link(file)).iter().for_each(|recording| recording.file(file));
}

pub(super) fn note_dir(dir: &Path) {
    of(dir).iter().for_each(|recording| recording.dir(dir));
}

pub(super) fn note_file_system(of_what: &File) {
    of(&link(of_what)).iter().for_each(|recording| recording.all(&recording.root));
}

// === what is left of a state ===

mod tests {
    use bytes::Bytes;
    use kuriiri_engine::{BodyFile, BodyRef, Commit, LogAppend, LogHead, View, Write};
    use kuriiri_merkle::{Frontier, leaf};

    use super::*;
    use crate::{Options, Store};

    const BODY: [u8; 3000] = [7; 3000];

    /// The start of this number, with an entry of the log and a body.
    fn commit(number: u64, frontier: &mut Frontier) -> Commit {
        let (first, entry) = (frontier.size(), Bytes::from(number.to_string()));
        frontier.push(leaf(&entry));
        let nodes = frontier.nodes().to_vec();
        let head = LogHead { size: frontier.size(), frontier: nodes, ..LogHead::default() };
        let log = LogAppend {
            first,
            leaves: vec![leaf(&entry)],
            entries: vec![entry],
            headers: Vec::new(),
            channels: Vec::new(),
            head,
            checkpoint: Bytes::from_static(b"checkpoint"),
            news: true,
        };
        let bodies = vec![Bytes::from_static(&BODY)];
        Commit {
            writes: vec![Write::PutStart(number)],
            bodies: Some(BodyFile { file: number, bodies, references: 1 }),
            log: Some(log),
            ..Commit::default()
        }
    }

    /// The life of a state from its first moment, which a clean stop and a start interrupt.
    async fn live(dir: &Path, recording: &Recording) {
        let (mut number, mut frontier) = (0, Frontier::new());
        for commits in [3, 0, 2] {
            let store = Store::open(dir, Options::default()).unwrap();
            for _ in 0..commits {
                number += 1;
                store.commit(commit(number, &mut frontier)).await.unwrap();
                recording.acknowledge(number);
                if number.is_multiple_of(2) {
                    store.publish().await.unwrap();
                }
            }
            store.close().await.unwrap();
        }
    }

    /// Opens what is left, and tells of what is missing.
    fn look(dir: &Path, acknowledged: u64) -> Result<(), String> {
        let options = Options::default().danger_without_barrier();
        let store = Store::open(dir, options).map_err(|error| error.to_string())?;
        let starts = store.starts().map_err(|error| error.to_string())?;
        if starts < acknowledged || store.log_size() != starts {
            return Err(format!("{starts} starts, {} entries", store.log_size()));
        }
        for file in 1..=starts {
            let body = store.body(BodyRef { file, offset: 0, len: 3000 });
            if body.map_err(|error| error.to_string())? != BODY[..] {
                return Err(format!("the body of {file} is another one"));
            }
        }
        Ok(())
    }

    /// The names and content of everything that opening needs are found by leaving out whatever the disk was
    /// not asked to keep.
    #[tokio::test]
    async fn at_each_moment_from_the_first_a_power_cut_leaves_all_that_was_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let recording = Recording::begin(folder.path());
        live(&folder.path().join("above/state"), &recording).await;
        let (mut faults, moments) = (Vec::new(), recording.moments());
        for moment in 0..=moments {
            let left = tempfile::tempdir().unwrap();
            let acknowledged = recording.leave(moment, left.path());
            if let Err(fault) = look(&left.path().join("above/state"), acknowledged) {
                faults.push(format!("moment {moment}, {acknowledged} acknowledged: {fault}"));
            }
        }
        assert!(faults.is_empty() && moments > 30, "{moments} moments, {faults:#?}");
    }
}
