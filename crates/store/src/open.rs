//! Opening a state folder: look before touching, then let sled recover, then check what it found.

use std::{
    any::Any,
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
    thread,
    time::Instant,
};

use kuriiri_engine::ViewError;

use crate::{
    body::Bodies,
    covers::{self, Covers},
    disk::Disk,
    durable,
    error::OpenError,
    folder::{bodies_path, create_dir, db_path, own_dir},
    journal::Changes,
    key::Key,
    log::{Going, Left, Log, Shape},
    options::Options,
    records,
    room::Reserve,
    settle::{clear, give_room_back, take_up},
    sled_log::{self, Mark},
    store::Store,
    survey::{begin, clear_unfinished, lock, lost, required, survey, wait},
    tip::{NAME, Tip},
    tree::Tree,
    value,
};

/// The version of keys and values: 3 since the end of each chain is a record of its own, 4 since headers
/// stand beside the log, 5 since packs have each signature once, 6 since messages can be set aside, 7 since buckets
/// of marks are narrower and what can be erased is covered. Another one needs a migration.
pub(crate) const FORMAT: u32 = 7;

impl Store {
    /// Opens the state in a folder, which is made if it is not there, for its owner alone.
    /// Blocks: for recovery, and while another process has the folder.
    ///
    /// Damage that shows without sled's help is refused before anything is changed: a missing or
    /// foreign file, a lost `tip`, something in `blobs/`, a log whose end cannot be read up to
    /// the last acknowledged commit. What only sled's recovery finds is refused too, a panic of
    /// it included, but by then sled may have rewritten its snapshot and what it took for free
    /// space; body files are untouched.
    ///
    /// # Errors
    /// [`OpenError`], with the file or folder and what to do.
    pub fn open(dir: &Path, options: Options) -> Result<Self, OpenError> {
        let (disk, last, outstanding) = Disk::open(dir, &options)?;
        Self::start(disk, last, outstanding)
    }
}

impl Disk {
    /// The open files, the number of the last commit, and the headers that files may still have although
    /// they left.
    pub(crate) fn open(dir: &Path, options: &Options) -> Result<(Self, u64, Going), OpenError> {
        let Records { tip, log, db, tree, last, reserve } = Records::open(dir, options)?;
        create_dir(&bodies_path(dir))?;
        let damaged = |error: ViewError| OpenError::corrupt(db_path(dir), error.0);
        let bodies = bodies(&tree).map_err(damaged)?;
        let Left { gone, outstanding } = Left::load(&tree).map_err(damaged)?;
        let Options { synced, read_named, unsynced_max, log_for_owner, .. } = *options;
        let shape = Shape { log, synced, read_named, unsynced_max, log_for_owner };
        let log = Log::open(&tree, dir, shape, gone)?;
        let db_file = OpenOptions::new().read(true).write(true).open(db_path(dir));
        let db_file = db_file.map_err(OpenError::io(db_path(dir)))?;
        let disk = Self {
            db_file,
            bodies: Bodies::open(bodies_path(dir), &bodies)?,
            log,
            reserve,
            synced: options.synced,
            failed: AtomicBool::new(false),
            barriers: AtomicU64::new(0),
            dir: dir.to_owned(),
            tree,
            db,
            tip,
        };
        let last = begin_with(&disk, last)?;
        // For the next start as well: it puts what the journal has into sled, and the disk may be full by then.
        if options.levels.reserve > 0
            && let Err(error) = disk.keep_room_for_sled()
        {
            tracing::warn!(%error, "the disk has no room for what the database writes next");
        }
        disk.reserve.room(disk.log_path()).map_err(OpenError::io(dir))?;
        Ok((disk, last, outstanding))
    }
}

/// The records of a state alone: nothing was looked at of what is beside them.
pub(crate) struct Records {
    tip: Tip,
    /// Where the log is to be.
    log: PathBuf,
    db: sled::Db,
    pub(crate) tree: Tree,
    /// The number of the last commit; 0 in a new state.
    pub(crate) last: u64,
    reserve: Reserve,
}

impl Records {
    pub(crate) fn open(dir: &Path, options: &Options) -> Result<Self, OpenError> {
        let deadline = Instant::now() + options.lock_wait;
        own_dir(dir)?;
        let tip = lock(dir, deadline)?;
        // First, because all that follows may need its room.
        let reserve = Reserve::open(dir, options.levels).map_err(OpenError::io(dir))?;
        if reserve.is_critical().map_err(OpenError::io(dir))? {
            give_room_back(dir)?;
        }
        let log = options.log.clone().unwrap_or_else(|| dir.join("log"));
        let acknowledged = survey(dir, &log, &tip)?;
        if acknowledged == 0 {
            begin(dir, &tip)?;
        }
        clear_unfinished(dir)?;
        let db = recover(dir, options, deadline)?;
        let covers = Covers::open(&dir.join(covers::NAME), options.synced);
        let covers = covers.map_err(OpenError::io(dir.join(covers::NAME)))?;
        let tree = Tree::new(db.clone(), Arc::new(covers));
        let settled = check(&tree, dir, required(dir, acknowledged)?)?;
        let last = take_up((&db, tree.covers()), dir, settled, acknowledged)?;
        Ok(Self { tip, log, db, tree, last, reserve })
    }

    /// Makes changes durable as the commit of this number. None of them may put a record that needs a cover.
    pub(crate) fn make_durable(
        &self,
        dir: &Path,
        changes: &Changes,
        number: u64,
    ) -> Result<(), OpenError> {
        let (covers, path) = (self.tree.covers(), dir.join(covers::NAME));
        covers.prepare(&self.db, changes).map_err(OpenError::io(&path))?;
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key.as_slice(), value.as_ref()),
                None => batch.remove(key.as_slice()),
            }
        }
        let file = File::open(db_path(dir)).map_err(OpenError::io(db_path(dir)))?;
        make_durable((&self.db, &file), (&self.tip, dir), batch, number)?;
        covers.settled().map_err(OpenError::io(path))
    }
}

// === sled ===

/// Lets sled recover. What it cannot read is an error or a panic, so it gets a thread of its own.
fn recover(dir: &Path, options: &Options, deadline: Instant) -> Result<sled::Db, OpenError> {
    let config = sled::Config::new()
        .path(dir)
        .segment_size(sled_log::SEGMENT_BYTES)
        .cache_capacity(options.cache_bytes)
        .flush_every_ms(None);
    loop {
        let config = config.clone();
        let opened = thread::Builder::new()
            .name("kuriiri-recover".into())
            .spawn(move || config.open())
            .map_err(OpenError::io(dir))?
            .join();
        match opened {
            Ok(Ok(db)) => return Ok(db),
            // A handle that was just dropped, here or there, can keep sled's own lock a while.
            Ok(Err(sled::Error::Io(error))) if error.to_string().contains("acquire lock") => {
                wait(dir, deadline)?;
            }
            Ok(Err(error)) => return Err(refused(dir, error)),
            Err(panic) => return Err(OpenError::corrupt(db_path(dir), panic_text(&*panic))),
        }
    }
}

fn refused(dir: &Path, error: sled::Error) -> OpenError {
    let what = error.to_string();
    let source = io::Error::from(error);
    if source.raw_os_error().is_some() {
        OpenError::io(db_path(dir))(source)
    } else {
        OpenError::corrupt(db_path(dir), what)
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("recovery stopped: {}", text.unwrap_or("no reason given"))
}

// === after sled ===

/// Compares what sled found with what it must have, and gives the number of its last commit.
fn check(tree: &Tree, dir: &Path, required: u64) -> Result<u64, OpenError> {
    let damaged = |what: String| OpenError::corrupt(db_path(dir), what);
    let unreadable = |error: ViewError| damaged(error.0);
    let mark = records::record::<Mark>(tree, &Key::Commits).map_err(unreadable)?;
    let last = mark.map_or(0, Mark::number);
    if last < required {
        return Err(lost(&db_path(dir), last, required));
    }
    let format = records::record::<u32>(tree, &Key::Format).map_err(unreadable)?;
    match format {
        Some(FORMAT) => {}
        Some(found) => {
            return Err(OpenError::Format { dir: dir.to_owned(), found, ours: FORMAT });
        }
        None if last == 0 => {}
        None => return Err(damaged("it does not say its format".into())),
    }
    Ok(last)
}

/// The body files that records refer to.
fn bodies(tree: &Tree) -> Result<BTreeSet<u64>, ViewError> {
    records::keys(tree, Key::body_files()).map(|key| body_file(key?)).collect()
}

fn body_file(key: Key) -> Result<u64, ViewError> {
    if let Key::BodyFile(number) = key {
        return Ok(number);
    }
    Err(ViewError(format!("{key:?} stands among the body files")))
}

/// Makes what was found durable, with all names in the folder: the last process may have died
/// between a commit and its barrier. A new state gets its first records. Returns the number of
/// the last commit.
fn begin_with(disk: &Disk, last: u64) -> Result<u64, OpenError> {
    // sled syncs neither its settings nor any name, and from the first number in `tip` on a start refuses
    // a state that lacks them.
    durable::content(&disk.dir).map_err(OpenError::io(&disk.dir))?;
    let mut first = sled::Batch::default();
    if last == 0 {
        for folder in [disk.dir.as_path(), disk.log_path()] {
            durable::name(folder).map_err(OpenError::io(folder))?;
        }
        let failed = |error| OpenError::io(disk.db_path())(io::Error::other(error));
        first = first_commit().map_err(failed)?;
    }
    let last = last.max(1);
    make_durable((&disk.db, &disk.db_file), (&disk.tip, &disk.dir), first, last)?;
    disk.tree.covers().settled().map_err(OpenError::io(disk.covers_path()))?;
    clear(&disk.dir)?;
    durable::dir(&disk.dir).map_err(OpenError::io(&disk.dir))?;
    Ok(last)
}

/// Makes changes durable as the commit of this number, while no committer runs.
fn make_durable(
    (db, file): (&sled::Db, &File),
    (tip, dir): (&Tip, &Path),
    batch: sled::Batch,
    number: u64,
) -> Result<(), OpenError> {
    let io = || OpenError::io(db_path(dir));
    db.apply_batch(batch).map_err(|error| io()(error.into()))?;
    db.flush().map_err(|error| io()(error.into()))?;
    durable::file(file).map_err(io())?;
    let noted = tip.write(number).and_then(|()| tip.sync());
    noted.map_err(OpenError::io(dir.join(NAME)))
}

/// The records of a new state.
fn first_commit() -> Result<sled::Batch, postcard::Error> {
    let mut batch = sled::Batch::default();
    batch.insert(Key::Format.encode(), value::encode(&FORMAT)?);
    batch.insert(Key::Commits.encode(), value::encode(&Mark::new(1))?);
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use kuriiri_types::Code;

    use super::*;
    use crate::LogBegun;

    /// Opens the state after its record of the format became this.
    fn open_as(format: Option<u32>) -> [OpenError; 3] {
        let dir = tempfile::tempdir().unwrap();
        let options = Options::default().danger_without_barrier();
        let store = Store::open(dir.path(), options.clone()).unwrap();
        let key = Key::Format.encode();
        match format {
            Some(format) => store.disk().db.insert(key, value::encode(&format).unwrap()).unwrap(),
            None => store.disk().db.remove(key).unwrap(),
        };
        drop(store);
        [
            Store::open(dir.path(), options.clone()).map(drop).unwrap_err(),
            Store::log_stands(dir.path(), &options).map(drop).unwrap_err(),
            Store::renew_log(dir.path(), &options, &LogBegun::default()).unwrap_err(),
        ]
    }

    #[test]
    fn a_state_of_another_version_is_refused_and_is_not_called_damaged() {
        for other in [FORMAT - 1, FORMAT + 1, 0] {
            for error in open_as(Some(other)) {
                let OpenError::Format { found, ours, .. } = error else { panic!("{error}") };
                assert_eq!((found, ours), (other, FORMAT));
                assert_eq!(error.code(), Code::STORE_FORMAT);
            }
        }
        for error in open_as(None) {
            assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
        }
    }
}
