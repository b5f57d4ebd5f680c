//! Files, folders and their names made durable. Nothing else in this crate asks the disk to sync, so that a
//! test can hold on to what a power cut would leave at each moment.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

#[cfg(test)]
pub(crate) mod cut;

/// Makes the content of a file durable, and all that is known of it but its name.
pub(crate) fn file(file: &File) -> io::Result<()> {
    file.sync_all()?;
    #[cfg(test)]
    cut::note_file(file);
    Ok(())
}

/// Makes the content of a file durable, and its length.
pub(crate) fn data(file: &File) -> io::Result<()> {
    file.sync_data()?;
    #[cfg(test)]
    cut::note_file(file);
    Ok(())
}

/// Makes the names in a folder durable.
pub(crate) fn dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()?;
    #[cfg(test)]
    cut::note_dir(dir);
    Ok(())
}

/// Makes everything durable on the file system on which something is.
pub(crate) fn file_system(of: &File) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(of)?;
    #[cfg(not(target_os = "linux"))]
    rustix::fs::sync();
    #[cfg(test)]
    cut::note_file_system(of);
    Ok(())
}

/// Makes the files and folders in a folder durable, whoever made them, and then their names. What is in the
/// folders in it is not looked at, only their names there.
pub(crate) fn content(of: &Path) -> io::Result<()> {
    for entry in fs::read_dir(of)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            dir(&entry.path())?;
        } else if kind.is_file() {
            file(&File::open(entry.path())?)?;
        }
    }
    dir(of)
}

/// Makes the name of a folder durable, and of those above it: whoever made them just now need not have done
/// so. Ends where this process may not read, as it can have made nothing there.
pub(crate) fn name(of: &Path) -> io::Result<()> {
    for above in fs::canonicalize(of)?.ancestors().skip(1) {
        match dir(above) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
            // Not every file system can: what it cannot make durable needs nothing.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
