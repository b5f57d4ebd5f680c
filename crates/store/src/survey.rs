//! What can be said of a state folder before sled may touch it.

use std::{
    fs::{self, File},
    io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::{
    covers, durable,
    error::OpenError,
    folder::{WAITING, blobs_path, db_path},
    settle::journal_begins,
    sled_log,
    tip::{self, Tip},
};

/// sled's settings.
const CONF: &str = "conf";
/// Between two looks at a lock.
const LOCK_POLL: Duration = Duration::from_millis(20);

/// Opens and locks the tip. Where there is a database it must exist already.
pub(crate) fn lock(dir: &Path, deadline: Instant) -> Result<Tip, OpenError> {
    let path = dir.join(tip::NAME);
    let create = !db_path(dir).exists();
    let tip = match Tip::open(&path, create) {
        Err(error) if !create && error.kind() == io::ErrorKind::NotFound => {
            return Err(OpenError::corrupt(path, "it is missing beside a database"));
        }
        other => other.map_err(OpenError::io(&path))?,
    };
    while !tip.try_lock().map_err(OpenError::io(&path))? {
        wait(dir, deadline)?;
    }
    Ok(tip)
}

/// Waits a little, or gives up.
pub(crate) fn wait(dir: &Path, deadline: Instant) -> Result<(), OpenError> {
    if Instant::now() >= deadline {
        return Err(OpenError::Locked { dir: dir.to_owned() });
    }
    thread::sleep(LOCK_POLL);
    Ok(())
}

/// Everything that can be said without letting sled write. Returns the last acknowledged commit.
pub(crate) fn survey(dir: &Path, log: &Path, tip: &Tip) -> Result<u64, OpenError> {
    survey_folders([log, &dir.join(WAITING)])?;
    let tip_path = dir.join(tip::NAME);
    let acknowledged = tip.read().map_err(OpenError::io(&tip_path))?;
    let Some(acknowledged) = acknowledged else {
        return Err(OpenError::corrupt(tip_path, "its content is not a commit number"));
    };
    survey_blobs(dir)?;
    if acknowledged == 0 {
        return Ok(0);
    }
    let db = db_path(dir);
    match fs::metadata(&db) {
        Ok(meta) if meta.len() > 0 => {}
        Ok(_) => return Err(OpenError::corrupt(db, "it is empty")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(OpenError::corrupt(db, "it is missing"));
        }
        Err(error) => return Err(OpenError::io(db)(error)),
    }
    survey_conf(dir)?;
    let covers = dir.join(covers::NAME);
    if !covers.is_file() {
        return Err(OpenError::corrupt(
            covers,
            "it is missing, and nothing that waits can be read without it",
        ));
    }
    survey_log(dir, required(dir, acknowledged)?)?;
    Ok(acknowledged)
}

/// The commit that sled must have: the last one before the journal, or the last acknowledged one where
/// there is no journal.
pub(crate) fn required(dir: &Path, acknowledged: u64) -> Result<u64, OpenError> {
    Ok(journal_begins(dir)?.map_or(acknowledged, |base| base.min(acknowledged)))
}

/// The folders of the log are made where they are missing; something else must not be there.
fn survey_folders(folders: [&Path; 2]) -> Result<(), OpenError> {
    for folder in folders {
        match fs::metadata(folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(OpenError::corrupt(folder, "it is not a folder")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(OpenError::io(folder)(error)),
        }
    }
    Ok(())
}

fn survey_blobs(dir: &Path) -> Result<(), OpenError> {
    let blobs = blobs_path(dir);
    match fs::read_dir(&blobs).map(|mut entries| entries.next().is_some()) {
        Ok(false) => Ok(()),
        Ok(true) => {
            Err(OpenError::corrupt(blobs, "it must be empty; no version of Kuriiri writes there"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(OpenError::io(blobs)(error)),
    }
}

/// sled writes its settings once. It would make new ones where they are missing, and read the
/// database by them.
fn survey_conf(dir: &Path) -> Result<(), OpenError> {
    let path = dir.join(CONF);
    let expected = format!(
        "segment_size: {}\nuse_compression: false\nversion: 0.34\n",
        sled_log::SEGMENT_BYTES
    );
    let found = match fs::read(&path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(OpenError::io(path)(error)),
    };
    let crc = found.strip_prefix(expected.as_bytes());
    if crc.is_none_or(|crc| crc.len() != size_of::<u32>()) {
        return Err(OpenError::corrupt(path, "it is not as this version writes it"));
    }
    Ok(())
}

/// Makes the tip durable before there is a database that would be suspect without it. Nothing was
/// acknowledged here, so settings that a power cut tore are written once more, with the same content.
pub(crate) fn begin(dir: &Path, tip: &Tip) -> Result<(), OpenError> {
    if survey_conf(dir).is_err() {
        let path = dir.join(CONF);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(OpenError::io(path)(error));
            }
            _ => {}
        }
    }
    let written = tip.write(0).and_then(|()| tip.sync());
    written.map_err(OpenError::io(dir.join(tip::NAME)))?;
    durable::dir(dir).map_err(OpenError::io(dir))
}

/// What sled's recovery would cut off must not have been acknowledged.
fn survey_log(dir: &Path, acknowledged: u64) -> Result<(), OpenError> {
    let db = db_path(dir);
    let snapshot = snapshot(dir).map_err(OpenError::io(dir))?;
    let last = File::open(&db).and_then(|file| sled_log::last_commit(&file, snapshot));
    match last.map_err(OpenError::io(&db))? {
        Some(last) if last < acknowledged => Err(lost(&db, last, acknowledged)),
        _ => Ok(()),
    }
}

/// The position of sled's last snapshot; 0 when there is none.
fn snapshot(dir: &Path) -> io::Result<u64> {
    let mut last = 0;
    for name in snapshots(dir)? {
        last = last.max(u64::from_str_radix(&name, 16).unwrap_or(0));
    }
    Ok(last)
}

/// The names of sled's snapshots without the beginning that they share.
fn snapshots(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let name = name.to_str().and_then(|name| name.strip_prefix("snap."));
        names.extend(name.map(str::to_owned));
    }
    Ok(names)
}

/// Removes a snapshot that sled was writing when its process died. It would take it for the last
/// one and refuse to open; the one before is still there.
pub(crate) fn clear_unfinished(dir: &Path) -> Result<(), OpenError> {
    for name in snapshots(dir).map_err(OpenError::io(dir))? {
        if name.ends_with(".generating") {
            let path = dir.join(format!("snap.{name}"));
            fs::remove_file(&path).map_err(OpenError::io(path))?;
        }
    }
    Ok(())
}

/// The database ends before the last acknowledged commit.
pub(crate) fn lost(db: &Path, last: u64, acknowledged: u64) -> OpenError {
    let what = format!("it can be read up to commit {last}, and {acknowledged} was acknowledged");
    OpenError::corrupt(db, what)
}
