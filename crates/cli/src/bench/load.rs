//! What a measurement sends.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, ensure};
use bytes::{Bytes, BytesMut};
use kuriiri_types::limits::BODY_BYTES_MAX;

use crate::system::files_in;

/// Messages that go the whole way before a measurement begins: then every link is up.
pub(super) const WARM_UP: u64 = 1;
/// A body holds its number, so that no two are the same.
const BODY_BYTES_MIN: usize = 8;
/// Bytes of all documents of a folder: the sender holds them in memory, so that it measures no disk.
const DOCUMENTS_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Bytes that are sent of documents unless somebody says how many messages.
const DOCUMENTS_SENT_BYTES: u64 = 128 * 1024 * 1024;
/// Messages of documents unless somebody says how many, or there are more documents.
const DOCUMENTS_SENT_MAX: u64 = 4000;

/// One measurement: what is sent, and how fast.
#[derive(Debug, Clone)]
pub(super) struct Load {
    pub(super) messages: u64,
    pub(super) bodies: Bodies,
    pub(super) connections: usize,
    pub(super) window: usize,
    /// Messages a second; as fast as possible without.
    pub(super) rate: Option<u64>,
}

/// What the bodies of messages are.
#[derive(Debug, Clone)]
pub(super) enum Bodies {
    /// Of so many bytes: a number, then zeros.
    Numbered(usize),
    /// Files in turn.
    Documents(Documents),
}

/// The files of a folder.
#[derive(Debug, Clone)]
pub(super) struct Documents {
    folder: PathBuf,
    bodies: Arc<[Bytes]>,
}

impl Bodies {
    /// Of at least so many bytes as a number has.
    pub(super) fn numbered(size: usize) -> Self {
        Self::Numbered(size.max(BODY_BYTES_MIN))
    }

    /// The body of a message by its number.
    pub(super) fn body(&self, number: u64) -> anyhow::Result<Bytes> {
        match self {
            Self::Numbered(size) => {
                let mut body = BytesMut::zeroed(*size);
                body.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
                Ok(body.freeze())
            }
            Self::Documents(documents) => documents.body(number),
        }
    }

    /// Bytes of a body, in the mean.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Numbered(size) => u64::try_from(*size).unwrap_or(u64::MAX),
            Self::Documents(documents) => documents.bytes() / documents.count().max(1),
        }
    }

    /// The arguments by which a sender makes the same.
    pub(super) fn args(&self) -> [PathBuf; 2] {
        match self {
            Self::Numbered(size) => ["--size".into(), size.to_string().into()],
            Self::Documents(documents) => ["--documents".into(), documents.folder.clone()],
        }
    }
}

impl Documents {
    /// Reads all files below a folder.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let files = files_in(folder).with_context(|| folder.display().to_string())?;
        ensure!(!files.is_empty(), "there is no file in {}", folder.display());
        let mut bodies = Vec::new();
        let mut room = DOCUMENTS_BYTES_MAX;
        for file in files {
            let name = || file.display().to_string();
            let size = file.metadata().with_context(name)?.len();
            ensure!(size <= BODY_BYTES_MAX, "{} is larger than a body may be", name());
            let left = room.checked_sub(size);
            room = left.with_context(|| format!("more than {DOCUMENTS_BYTES_MAX} bytes"))?;
            bodies.push(Bytes::from(std::fs::read(&file).with_context(name)?));
        }
        Ok(Self { folder: folder.to_owned(), bodies: bodies.into() })
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.bodies.len()).unwrap_or(u64::MAX)
    }

    /// Messages that a measurement sends unless somebody says how many: each document once at least.
    pub(super) fn messages(&self) -> u64 {
        let mean = (self.bytes() / self.count().max(1)).max(1);
        (DOCUMENTS_SENT_BYTES / mean).min(DOCUMENTS_SENT_MAX).max(self.count())
    }

    fn bytes(&self) -> u64 {
        self.bodies.iter().filter_map(|body| u64::try_from(body.len()).ok()).sum()
    }

    fn body(&self, number: u64) -> anyhow::Result<Bytes> {
        let place = number.checked_rem(self.count()).context("no document")?;
        self.bodies.get(usize::try_from(place)?).cloned().context("no document")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn documents(sizes: &[usize]) -> (tempfile::TempDir, anyhow::Result<Documents>) {
        let folder = tempfile::tempdir().unwrap();
        for (number, size) in sizes.iter().enumerate() {
            fs::write(folder.path().join(format!("{number}.txt")), vec![b'x'; *size]).unwrap();
        }
        let read = Documents::read(folder.path());
        (folder, read)
    }

    #[test]
    fn documents_go_in_turn() {
        let (_folder, documents) = documents(&[3, 0, 9]);
        let bodies = Bodies::Documents(documents.unwrap());
        let sizes: Vec<usize> = (0..5).map(|number| bodies.body(number).unwrap().len()).collect();
        assert_eq!(sizes, [3, 0, 9, 3, 0]);
        assert_eq!(bodies.size(), 4);
    }

    #[test]
    fn each_document_is_sent_and_not_too_much_of_them() {
        let (_folder, small) = documents(&[1, 1]);
        assert_eq!(small.unwrap().messages(), DOCUMENTS_SENT_MAX);
        let (_folder, large) = documents(&[1 << 20, 1 << 20]);
        assert_eq!(large.unwrap().messages(), 128);
        let (_folder, many) = documents(&[1 << 20; 130]);
        assert_eq!(many.unwrap().messages(), 130);
    }

    #[test]
    fn what_cannot_be_sent_is_said_before() {
        let (_folder, none) = documents(&[]);
        assert!(none.unwrap_err().to_string().contains("no file"));
        let (_folder, huge) = documents(&[usize::try_from(BODY_BYTES_MAX).unwrap() + 1]);
        assert!(huge.unwrap_err().to_string().contains("larger than a body"));
    }

    #[test]
    fn no_two_numbered_bodies_are_the_same() {
        let bodies = Bodies::numbered(3);
        assert_eq!(bodies.size(), 8);
        assert_eq!(bodies.body(258).unwrap().as_ref(), [0, 0, 0, 0, 0, 0, 1, 2]);
        assert_ne!(bodies.body(0).unwrap(), bodies.body(1).unwrap());
    }
}
