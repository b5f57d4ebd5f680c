//! Writing a tree of files, keys for their owner only.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// A folder that files are written to.
#[derive(Debug)]
pub(crate) struct Tree(PathBuf);

impl Tree {
    pub(crate) fn new(root: &Path) -> Self {
        Self(root.to_path_buf())
    }

    /// A file for everybody to read.
    pub(crate) fn text(&self, name: &str, text: &str) -> anyhow::Result<()> {
        self.write(name, text, 0o644)
    }

    /// A key, for its owner only.
    pub(crate) fn key(&self, name: &str, text: &str) -> anyhow::Result<()> {
        self.write(name, text, 0o600)
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> anyhow::Result<()> {
        let path = self.0.join(name);
        let write = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
            file.write_all(text.as_bytes())
        };
        write().with_context(|| format!("{} cannot be written", path.display()))
    }
}
