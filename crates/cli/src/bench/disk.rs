//! What a log holds on disk.

use std::{fs, path::Path};

use anyhow::Context;

/// Bytes of all files below a log's folder; none if it is not there yet. Of what is not full yet, the
/// same again and again (C2SP tlog-tiles: `NAME.p/WIDTH`), only the widest counts: others stand there
/// for readers of earlier checkpoints, and go when it is full.
pub(super) fn bytes_below(folder: &Path) -> anyhow::Result<u64> {
    if !folder.exists() {
        return Ok(0);
    }
    let is_partial = folder.extension().is_some_and(|extension| extension == "p");
    let mut bytes: u64 = 0;
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let is_folder = entry.file_type()?.is_dir();
        let more = if is_folder { bytes_below(&entry.path())? } else { entry.metadata()?.len() };
        bytes = if is_partial { bytes.max(more) } else { bytes.saturating_add(more) };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_count_and_what_is_not_full_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let tile = folder.path().join("tile/0");
        assert_eq!(bytes_below(&tile).unwrap(), 0);
        fs::create_dir_all(tile.join("001.p")).unwrap();
        fs::write(folder.path().join("checkpoint"), [0; 10]).unwrap();
        fs::write(tile.join("000"), [0; 100]).unwrap();
        fs::write(tile.join("001.p/9"), [0; 9]).unwrap();
        fs::write(tile.join("001.p/30"), [0; 30]).unwrap();
        assert_eq!(bytes_below(folder.path()).unwrap(), 140);
    }
}
