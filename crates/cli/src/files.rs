//! Files that a command leaves: whole or not there, on the disk before anybody is told, and never in the
//! place of another's.

use std::{
    fs::{File, Permissions},
    io::{self, ErrorKind, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use kuriiri_types::Code;
use tempfile::{Builder, NamedTempFile};

use crate::{exit::Failure, system::files_in};

/// For its owner alone.
pub(crate) const PRIVATE: u32 = 0o600;
/// For everybody to read.
pub(crate) const PUBLIC: u32 = 0o644;

/// Makes a file that was not there, with at most these bits of its mode.
///
/// # Errors
/// `AlreadyExists` when something is there; it stays as it is.
pub(crate) fn create(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let (folder, part) = (folder_of(path), write_beside(path, bytes, mode)?);
    part.persist_noclobber(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// Makes a file, or takes the place of the one that is there, which stays until the new one is whole.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let (folder, part) = (folder_of(path), write_beside(path, bytes, mode)?);
    part.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// Waits until the disk has what was written to a file, or to a folder and all below it.
pub(crate) fn settle(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        let mut folders = Vec::new();
        for file in files_in(path)? {
            File::open(&file)?.sync_all()?;
            folders.push(folder_of(&file).to_path_buf());
        }
        folders.dedup();
        folders.iter().try_for_each(|folder| File::open(folder)?.sync_all())?;
    }
    File::open(path)?.sync_all()?;
    File::open(folder_of(path))?.sync_all()
}

/// Why a file or a folder cannot be written: with its place, and whether the place was wrong or the disk.
pub(crate) fn unwritten(path: &Path, error: io::Error) -> Failure {
    let is_elsewhere = matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::PermissionDenied
            | ErrorKind::InvalidFilename
    );
    let code = if is_elsewhere { Code::USAGE } else { Code::OUTPUT };
    let what = format!("{} cannot be written", path.display());
    Failure::new(code, anyhow::Error::new(error).context(what))
}

/// The bytes under a name that nobody knows; it goes with the value unless it gets its own.
fn write_beside(path: &Path, bytes: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(".kuriiri-").suffix(".part").permissions(Permissions::from_mode(mode));
    let mut part = builder.tempfile_in(folder_of(path)).map_err(without_its_name)?;
    part.write_all(bytes).map_err(without_its_name)?;
    part.as_file().sync_all()?;
    Ok(part)
}

/// The error alone: whoever reads it knows the place by its own name, not by that of the part.
fn without_its_name(error: io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_there_stays_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        create(&path, b"first", PRIVATE).unwrap();
        let again = create(&path, b"second", PRIVATE).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::AlreadyExists);
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"first".to_vec(), PRIVATE));
        assert_eq!(files_in(folder.path()).unwrap(), [path]);
    }

    #[test]
    fn the_old_file_stays_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, b"old", PUBLIC).unwrap();
        replace(&path, b"new", PUBLIC).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        // A folder cannot be replaced by a file.
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        replace(&taken, b"new", PUBLIC).unwrap_err();
        assert!(taken.is_dir());
        assert_eq!(files_in(folder.path()).unwrap(), [path]);
        settle(folder.path()).unwrap();
    }

    #[test]
    fn a_wrong_place_and_a_full_disk_are_told_apart_and_both_named() {
        let place = Path::new("a/b");
        for (kind, code) in [
            (ErrorKind::NotADirectory, Code::USAGE),
            (ErrorKind::StorageFull, Code::OUTPUT),
            (ErrorKind::QuotaExceeded, Code::OUTPUT),
            (ErrorKind::ReadOnlyFilesystem, Code::OUTPUT),
        ] {
            let failure = unwritten(place, kind.into());
            assert_eq!(failure.code(), code);
            let said = format!("{:#}", failure.error());
            assert_eq!(said, format!("a/b cannot be written: {}", io::Error::from(kind)));
        }
    }
}
