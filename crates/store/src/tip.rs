//! The `tip` file: which commit was acknowledged last, kept apart from sled.
//!
//! sled's recovery takes a damaged or shortened end of its log for a write that a crash tore, and
//! cuts it off without a word. A torn write was never acknowledged, so a log that ends before the
//! last acknowledged commit is damaged. The number is written after the barrier and not synced
//! itself: it survives the death of the process, and after a power cut it may lag by some
//! seconds, but it is never ahead. Rewriting it in place costs some microseconds and no space.
//!
//! The file is also the lock on the folder.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

use crate::durable;

/// The name of the file in the state folder.
pub(crate) const NAME: &str = "tip";

/// An open and locked tip file.
#[derive(Debug)]
pub(crate) struct Tip(File);

impl Tip {
    /// Opens the file; makes it when `create` says so.
    pub(crate) fn open(path: &Path, create: bool) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(create).mode(0o600);
        options.open(path).map(Self)
    }

    /// Takes the lock unless another process has it. It lasts until the file is closed.
    pub(crate) fn try_lock(&self) -> io::Result<bool> {
        match self.0.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The number; zero when the file is empty, nothing when it is damaged.
    pub(crate) fn read(&self) -> io::Result<Option<u64>> {
        let len = self.0.metadata()?.len();
        if len == 0 {
            return Ok(Some(0));
        }
        let mut both = [0; 16];
        if len != 16 {
            return Ok(None);
        }
        self.0.read_exact_at(&mut both, 0)?;
        let both = u128::from_be_bytes(both);
        let number = both >> 64;
        let intact = both == with_complement(number);
        Ok(u64::try_from(number).ok().filter(|_| intact))
    }

    /// Notes that a commit is durable.
    pub(crate) fn write(&self, number: u64) -> io::Result<()> {
        self.0.write_all_at(&with_complement(number.into()).to_be_bytes(), 0)
    }

    /// Makes the file itself durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        durable::file(&self.0)
    }
}

/// The number, and its complement to tell that both are intact.
fn with_complement(number: u128) -> u128 {
    (number << 64) | (u128::from(u64::MAX) - number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_back_and_damage_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        let tip = Tip::open(&path, true).unwrap();
        assert_eq!(tip.read().unwrap(), Some(0));
        for number in [0, 1, u64::MAX] {
            tip.write(number).unwrap();
            assert_eq!(tip.read().unwrap(), Some(number));
        }
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(tip.read().unwrap(), None, "byte {at}");
        }
        std::fs::write(&path, [0; 16]).unwrap();
        assert_eq!(tip.read().unwrap(), None);
        std::fs::write(&path, &whole[..8]).unwrap();
        assert_eq!(tip.read().unwrap(), None);
    }

    #[test]
    fn one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        let first = Tip::open(&path, true).unwrap();
        let second = Tip::open(&path, false).unwrap();
        assert!(first.try_lock().unwrap());
        assert!(!second.try_lock().unwrap());
        drop(first);
        assert!(second.try_lock().unwrap());
    }
}
