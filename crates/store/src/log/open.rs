//! Taking up the log that was left behind.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use kuriiri_engine::{LogHead, ViewError};
use kuriiri_merkle::{leaf, root};
use kuriiri_tlog::{Bundle, TILE_HEIGHT, TILE_WIDTH, Tile, log_number};

use super::{
    begun::LogBegun,
    beside::ReadNamed,
    cache::Cache,
    edge::{Edge, Full, WIDTH},
    fault::Fault,
    files::{CHECKPOINT, Files, path_of},
    going::Going,
    read::is_of,
    recorded,
    state::{BUNDLES_BYTES_MAX, Log, Shown, State, TILES_BYTES_MAX, lock},
};
use crate::{
    durable,
    error::OpenError,
    folder::{WAITING, db_path},
    key::Key,
    records::record,
    tree::Tree,
};

/// How a log is kept.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Where it is to be.
    pub(crate) log: PathBuf,
    /// False leaves out every sync.
    pub(crate) synced: bool,
    /// Reads of an entry which headers stand beside it.
    pub(crate) read_named: ReadNamed,
    /// Entries that are not known to be durable before the disk is asked to make them so.
    pub(crate) unsynced_max: u64,
    /// Nobody but the owner may read entries and headers.
    pub(crate) log_for_owner: bool,
}

/// What the records say of the log as of the last commit.
struct Acknowledged {
    head: LogHead,
    /// The signed checkpoint of the head.
    note: Bytes,
    /// Entries from here on are among the records.
    first: u64,
    /// Which of its ministry's logs it is.
    number: u32,
}

impl Log {
    /// Takes up the log that the records in a state folder speak of, and shows it as it was at the
    /// last commit: what may have been torn is written again. These headers left it.
    pub(crate) fn open(
        db: &Tree,
        dir: &Path,
        Shape { log, synced, read_named, unsynced_max, log_for_owner }: Shape,
        gone: Going,
    ) -> Result<Self, OpenError> {
        let Acknowledged { head, note, first, number } = acknowledged(db, &db_path(dir))?;
        make_way(&log, number)?;
        let files = Files::open(log, dir.join(WAITING), log_for_owner)?;
        let edge = Edge::load(first, |tile| files.read_tile(tile))?;
        let Replayed { edge, waiting, bytes } = replay(db, &db_path(dir), &files, edge)?;
        if edge.size() != head.size || edge.frontier().nodes() != head.frontier {
            return Err(blame(&files, first).into());
        }
        let state = State {
            edge: Arc::new(edge),
            checkpoint: note,
            waiting,
            durable: first,
            bytes,
            gone: Arc::new(gone),
            ..State::default()
        };
        let log = Self {
            files,
            synced,
            read_named,
            unsynced_max,
            state: Mutex::new(state),
            shown: Mutex::new(Shown::default()),
            tiles: Mutex::new(Cache::new(TILES_BYTES_MAX)),
            bundles: Mutex::new(Cache::new(BUNDLES_BYTES_MAX)),
        };
        log.restore()?;
        Ok(log)
    }

    /// Holds what is shown against the log, and shows what the last commit said.
    fn restore(&self) -> Result<(), OpenError> {
        let (shown, said) = self.files.read_checkpoint()?;
        let state = self.locked().clone();
        if let Some(said) = said {
            let size = state.edge.size();
            if said.size > size {
                return Err(OpenError::Behind {
                    log: self.files.log.clone(),
                    shown: said.size,
                    ours: size,
                });
            }
            let damaged = |error: ViewError| OpenError::corrupt(&self.files.log, error.0);
            if root(self, said.size).map_err(damaged)? != said.root {
                let what = "it shows another log than the one of this state";
                return Err(OpenError::corrupt(self.files.checkpoint(), what));
            }
        }
        if state.checkpoint.is_empty() {
            return Ok(());
        }
        let failed = |error| OpenError::io(&self.files.log)(error);
        let mend = |file| self.files.mend_partial(file);
        state.edge.partial().iter().try_for_each(mend).map_err(failed)?;
        // It may have got signatures of witnesses since.
        let checkpoint = match shown.starts_with(&state.checkpoint) {
            true => shown.into(),
            false => state.checkpoint.clone(),
        };
        let size = state.edge.size();
        self.show(&State { checkpoint, ..state.clone() }).map_err(failed)?;
        let mut shown = lock(&self.shown);
        (shown.size, shown.bytes, shown.note) = (size, state.bytes, state.checkpoint);
        Ok(())
    }
}

/// Gives the folder of an earlier log, which ended, another name: its number goes behind it, and again
/// if something has that name.
fn make_way(log: &Path, number: u32) -> Result<(), OpenError> {
    let note = match fs::read_to_string(log.join(CHECKPOINT)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(OpenError::io(log))?,
    };
    let shown = note.lines().next().and_then(log_number);
    match shown.filter(|shown| *shown < number) {
        Some(shown) => {
            let mut ended = log.as_os_str().to_owned();
            ended.push(format!(".{shown}"));
            while Path::new(&ended).exists() {
                ended.push(format!(".{shown}"));
            }
            fs::rename(log, &ended).map_err(OpenError::io(PathBuf::from(ended)))?;
            let parent = log.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or_else(|| Path::new("."));
            durable::dir(parent).map_err(OpenError::io(parent))
        }
        None => Ok(()),
    }
}

fn acknowledged(db: &Tree, path: &Path) -> Result<Acknowledged, OpenError> {
    let damaged = |error: ViewError| OpenError::corrupt(path, error.0);
    let head: LogHead = record(db, &Key::LogHead).map_err(damaged)?.unwrap_or_default();
    let note: Option<Bytes> = record(db, &Key::LogNote).map_err(damaged)?;
    let first = recorded::first_entry(db).map_err(damaged)?.unwrap_or(head.size);
    if !first.is_multiple_of(WIDTH) || first > head.size {
        return Err(OpenError::corrupt(path, "the log's last entries are missing"));
    }
    let begun: Option<LogBegun> = record(db, &Key::LogBegun).map_err(damaged)?;
    let (note, number) = (note.unwrap_or_default(), begun.unwrap_or_default().number);
    Ok(Acknowledged { head, note, first, number })
}

/// What became of the entries among the records.
struct Replayed {
    /// The edge of all that was acknowledged.
    edge: Edge,
    /// Full files that wait.
    waiting: Vec<String>,
    /// Bytes of the entries and of the headers beside them.
    bytes: u64,
}

/// Writes again what may not have been durable.
fn replay(db: &Tree, path: &Path, files: &Files, mut edge: Edge) -> Result<Replayed, OpenError> {
    let damaged = |error: ViewError| OpenError::corrupt(path, error.0);
    let (mut waiting, mut bytes) = (Vec::new(), 0);
    let mut headed = recorded::headed(db, Key::headers()).peekable();
    for pack in recorded::entries(db) {
        let (first, pack) = pack.map_err(damaged)?;
        if first != edge.size() {
            let what = format!("entries {} to {first} of the log are missing", edge.size());
            return Err(OpenError::corrupt(path, what));
        }
        for entry in pack {
            let (index, hash) = (edge.size(), leaf(&entry));
            let is_next = |next: &Result<_, _>| !matches!(next, Ok((at, _)) if *at != index);
            let beside = headed.next_if(is_next).transpose().map_err(damaged)?;
            let beside = beside.map(|(_, headed)| Arc::new(headed));
            let headers = beside.iter().flat_map(|headed| headed.headers.iter().flatten());
            bytes += headers.chain([&entry]).map(|bytes| bytes.len() as u64).sum::<u64>();
            for file in edge.push(entry, hash, beside) {
                waiting.extend(stage(files, &file).map_err(OpenError::io(&files.waiting))?);
            }
        }
    }
    match headed.next() {
        Some(_) => Err(OpenError::corrupt(path, "headers stand beside no entry of the log")),
        None => Ok(Replayed { edge, waiting, bytes }),
    }
}

/// Writes a full file to wait, and gives its path. Headers that left may still be in the log.
fn stage(files: &Files, file: &Full) -> io::Result<Option<String>> {
    if file.is_there() {
        return files.stage(file).map(|()| Some(path_of(file)));
    }
    if let Full::Headers(bundle, _) = file {
        files.mend_partial(file)?;
        files.drop_headers(*bundle)?;
    }
    Ok(None)
}

/// Finds the file because of which a log is not that of the last commit.
fn blame(files: &Files, first: u64) -> Fault {
    for (level, rest) in
        (0_u8..).zip(std::iter::successors(Some(first / WIDTH), |n| Some(n / WIDTH)))
    {
        if rest == 0 {
            break;
        }
        for index in rest - rest % WIDTH..rest {
            let tile = Tile { level, index, width: TILE_WIDTH };
            match is_over(files, tile) {
                Ok(true) => {}
                Ok(false) => return files.damaged(&tile.path(), "it is not that of what is below"),
                Err(fault) => return fault,
            }
        }
    }
    Fault::damaged(&files.log, "it is not what was acknowledged")
}

/// Whether a full tile has the hashes of the tiles or the bundle below it.
fn is_over(files: &Files, tile: Tile) -> Result<bool, Fault> {
    let tree = files.read_tile(tile)?;
    let Some(level) = tile.level.checked_sub(1) else {
        let bundle = Bundle { index: tile.index, width: TILE_WIDTH };
        return Ok(is_of(&files.read_bundle(bundle)?, &tree));
    };
    let first = tile.index << TILE_HEIGHT;
    for (index, hash) in (first..).zip(tree.leaves()) {
        let below = files.read_tile(Tile { level, index, width: TILE_WIDTH })?;
        if below.root() != *hash {
            return Ok(false);
        }
    }
    Ok(true)
}
