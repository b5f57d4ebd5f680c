//! What happened, one line each, and a digest of it all.

use std::{collections::VecDeque, fmt};

use kuriiri_merkle::leaf;
use kuriiri_types::{Digest, Timestamp};

use crate::clock::BEGINNING;

/// The trace of a run. No line has anything of a key or a signature in it, so the same seed gives
/// the same trace in every process, though keys are made anew.
#[derive(Debug)]
pub(crate) struct Trace {
    digest: Digest,
    kept: VecDeque<String>,
    keep_max: usize,
}

impl Trace {
    /// A trace that keeps so many of its last lines.
    pub(crate) fn new(keep_max: usize) -> Self {
        Self { digest: leaf(b"the beginning"), kept: VecDeque::new(), keep_max }
    }

    pub(crate) fn line(&mut self, now: Timestamp, what: fmt::Arguments<'_>) {
        let line = format!("{:>9} ms  {what}", now.since(BEGINNING).as_millis());
        self.digest = leaf(&[self.digest.as_bytes().as_slice(), line.as_bytes()].concat());
        if self.kept.len() >= self.keep_max {
            self.kept.pop_front();
        }
        if self.keep_max > 0 {
            self.kept.push_back(line);
        }
    }

    /// The digest of every line so far.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// The lines that were kept.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.kept.iter().map(String::as_str)
    }
}
