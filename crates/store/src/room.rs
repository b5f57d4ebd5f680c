//! Room on the disk: how much is left, and a reserve for when there is none.
//!
//! A relay whose disk is full can still hand out what it has, but a start and every commit need some room
//! for that. So a file of the state folder holds some, and goes when it is needed: at a start that finds less
//! than its size, when commits can go into sled no more, or when the relay says so. It is made again when there
//! is plenty.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use kuriiri_types::limits::{
    STATE_FILES_CRITICAL, STATE_FILES_LOW, STATE_RESERVE_BYTES, STATE_ROOM_CRITICAL_BYTES,
    STATE_ROOM_LOW_BYTES, STATE_ROOM_TIGHT_BYTES,
};
use rustix::{
    fs::{FallocateFlags, fallocate, statvfs},
    io::Errno,
};

/// The name of the reserve in a state folder.
const NAME: &str = "reserve";

/// How much room is left for a state and its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// The reserve is all that is left, or less. What is not needed to empty the queues should wait.
    Critical,
    /// Nothing should be taken in that stays. What goes out, and what says so, has room.
    Low,
    /// It is filling up. Who has much waiting here should have no more.
    Tight,
    /// There is enough for all that a relay does.
    Plenty,
}

/// From when on there is how much.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Levels {
    /// Bytes of the reserve. None: there is no reserve, and always plenty.
    pub(crate) reserve: u64,
    /// Less free bytes are tight.
    tight: u64,
    /// Less free bytes are low.
    low: u64,
    /// Less free bytes are critical.
    critical: u64,
}

impl Default for Levels {
    fn default() -> Self {
        Self {
            reserve: STATE_RESERVE_BYTES,
            tight: STATE_ROOM_TIGHT_BYTES,
            low: STATE_ROOM_LOW_BYTES,
            critical: STATE_ROOM_CRITICAL_BYTES,
        }
    }
}

impl Levels {
    /// The same levels as of the usual reserve, for one of another size.
    pub(crate) fn of(reserve: u64) -> Self {
        let scaled = |bytes: u64| bytes / (STATE_RESERVE_BYTES / 1024) * reserve / 1024;
        Self {
            reserve,
            tight: scaled(STATE_ROOM_TIGHT_BYTES),
            low: scaled(STATE_ROOM_LOW_BYTES),
            critical: scaled(STATE_ROOM_CRITICAL_BYTES),
        }
    }

    fn level(self, free: Free, has_reserve: bool) -> Room {
        if free.bytes < self.critical || free.files < STATE_FILES_CRITICAL {
            Room::Critical
        } else if free.bytes < self.low || free.files < STATE_FILES_LOW || !has_reserve {
            Room::Low
        } else if free.bytes < self.tight {
            Room::Tight
        } else {
            Room::Plenty
        }
    }
}

/// What a file system has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Free {
    bytes: u64,
    /// Files and folders that can still be made.
    files: u64,
}

impl Free {
    /// What is left on the file system of a folder for whoever is not its administrator.
    fn of(dir: &Path) -> io::Result<Self> {
        let found = statvfs(dir)?;
        // A file system that makes them as they are needed counts none.
        let files = if found.f_files == 0 { u64::MAX } else { found.f_favail };
        Ok(Self { bytes: found.f_bavail.saturating_mul(found.f_frsize), files })
    }

    fn least(self, other: Self) -> Self {
        Self { bytes: self.bytes.min(other.bytes), files: self.files.min(other.files) }
    }
}

/// The reserve of a state folder.
#[derive(Debug)]
pub(crate) struct Reserve {
    dir: PathBuf,
    levels: Levels,
    /// The file system cannot hold room for a file.
    unsupported: AtomicBool,
}

impl Reserve {
    /// The reserve of a folder; it goes if less than its size is free.
    pub(crate) fn open(dir: &Path, levels: Levels) -> io::Result<Self> {
        let reserve = Self { dir: dir.to_owned(), levels, unsupported: AtomicBool::new(false) };
        if reserve.path().exists() && Free::of(dir)?.bytes < levels.reserve {
            reserve.give_up();
        }
        Ok(reserve)
    }

    /// Whether there is too little room even now.
    pub(crate) fn is_critical(&self) -> io::Result<bool> {
        Ok(Free::of(&self.dir)?.bytes < self.levels.critical)
    }

    fn path(&self) -> PathBuf {
        self.dir.join(NAME)
    }

    fn is_there(&self) -> bool {
        self.unsupported.load(Ordering::Relaxed)
            || fs::metadata(self.path()).is_ok_and(|meta| meta.len() >= self.levels.reserve)
    }

    /// Gives the room free. False when there was none to give.
    pub(crate) fn give_up(&self) -> bool {
        let path = self.path();
        match fs::remove_file(&path) {
            Ok(()) => {
                let path = path.display();
                tracing::warn!(%path, "the disk is full: the reserve was given up; free some space");
                true
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "the reserve cannot be given up");
                false
            }
        }
    }

    /// How much room is left where the state and the log are. Makes the reserve when there is room for it
    /// beside plenty.
    pub(crate) fn room(&self, log: &Path) -> io::Result<Room> {
        if self.levels.reserve == 0 {
            return Ok(Room::Plenty);
        }
        let ours = Free::of(&self.dir)?;
        if !self.is_there() && ours.bytes >= self.levels.low.saturating_add(self.levels.reserve) {
            self.make()?;
        }
        let free = Free::of(&self.dir)?.least(Free::of(log)?);
        Ok(self.levels.level(free, self.is_there()))
    }

    fn make(&self) -> io::Result<()> {
        let path = self.path();
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        match allocate(&file, 0, self.levels.reserve) {
            // Its length says that all of it is there.
            Ok(()) => file.set_len(self.levels.reserve),
            Err(error) => {
                fs::remove_file(path)?;
                if error.kind() == io::ErrorKind::Unsupported {
                    tracing::info!("the file system of the state cannot hold a reserve");
                    self.unsupported.store(true, Ordering::Relaxed);
                    return Ok(());
                }
                // Somebody was faster; the next look tells.
                if error.kind() == io::ErrorKind::StorageFull { Ok(()) } else { Err(error) }
            }
        }
    }
}

/// Has a file system keep room for bytes of a file from a place on, and leaves the length of the file as it is.
///
/// # Errors
/// When there is no room, and of kind `Unsupported` where the file system cannot do it.
pub(crate) fn allocate(file: &File, from: u64, bytes: u64) -> io::Result<()> {
    loop {
        match fallocate(file, FallocateFlags::KEEP_SIZE, from, bytes) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(()) => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scarcer_of_bytes_and_files_says_how_much_room_there_is() {
        let levels = Levels::default();
        let low = STATE_ROOM_LOW_BYTES;
        for (bytes, files, has_reserve, level) in [
            (STATE_ROOM_TIGHT_BYTES, STATE_FILES_LOW, true, Room::Plenty),
            (STATE_ROOM_TIGHT_BYTES - 1, u64::MAX, true, Room::Tight),
            (low, STATE_FILES_LOW, true, Room::Tight),
            (low, STATE_FILES_LOW, false, Room::Low),
            (low - 1, u64::MAX, true, Room::Low),
            (u64::MAX, STATE_FILES_LOW - 1, true, Room::Low),
            (STATE_ROOM_CRITICAL_BYTES, u64::MAX, true, Room::Low),
            (STATE_ROOM_CRITICAL_BYTES - 1, u64::MAX, true, Room::Critical),
            (u64::MAX, STATE_FILES_CRITICAL - 1, true, Room::Critical),
        ] {
            assert_eq!(levels.level(Free { bytes, files }, has_reserve), level, "{bytes} {files}");
        }
        let small = Levels::of(STATE_RESERVE_BYTES / 8);
        assert_eq!((small.low, small.critical), (low / 8, STATE_ROOM_CRITICAL_BYTES / 8));
    }

    #[test]
    fn the_reserve_takes_room_and_gives_it_back() {
        let dir = tempfile::tempdir().unwrap();
        let reserve = Reserve::open(dir.path(), Levels::of(1 << 20)).unwrap();
        reserve.make().unwrap();
        let meta = fs::metadata(reserve.path()).unwrap();
        let blocks = std::os::unix::fs::MetadataExt::blocks(&meta);
        assert!(blocks * 512 >= 1 << 20 || reserve.unsupported.load(Ordering::Relaxed));
        assert!(reserve.is_there());
        assert!(reserve.give_up() && !reserve.give_up());
        assert!(!reserve.path().exists());
        // Nobody has so much free.
        reserve.make().unwrap();
        Reserve::open(dir.path(), Levels { reserve: u64::MAX, ..Levels::default() }).unwrap();
        assert!(!reserve.path().exists());
    }
}
