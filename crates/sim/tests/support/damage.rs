//! Copies of logs that somebody damaged.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Folder, choice};

impl Folder {
    /// The same after a file of it was lost, or one byte of it changed.
    pub fn damaged(self, seed: u64) -> Self {
        let file = choice(&files(self.log.path()), seed, 0).clone();
        if *choice(&[true, false], seed, 1) {
            fs::remove_file(&file).unwrap();
        } else {
            let mut bytes = fs::read(&file).unwrap();
            let place = (seed as usize).wrapping_mul(1_000_003) % bytes.len();
            bytes[place] ^= 1;
            fs::write(&file, bytes).unwrap();
        }
        let name = format!("{} with {} damaged", self.name, file.display());
        Self { name, is_damaged: true, ..self }
    }
}

/// The files of a log but for its checkpoint, without which there is none.
fn files(log: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![log.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let to = if path.is_dir() { &mut folders } else { &mut files };
            to.push(path);
        }
    }
    files.retain(|file| !file.ends_with("checkpoint"));
    files.sort();
    files
}
