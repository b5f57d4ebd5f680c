//! What each of the two logs must be in itself.

use kuriiri_tlog::TileEdge;
use kuriiri_types::{Digest, Entry, LogEvent, Ministry};

use crate::{
    finding::{Check, Finding, Findings},
    folder::{FolderError, LogFolder},
    heads::Heads,
    order::Order,
    pruned::{Left, Pruning},
    scan::Found,
    tree::check_tile,
};

/// What a log must be in itself.
pub(super) struct Own {
    tree: TileEdge,
    order: Order,
    heads: Heads,
    pruning: Pruning,
}

impl Own {
    pub(super) fn new(home: &Ministry, folder: &LogFolder) -> Self {
        Self {
            tree: TileEdge::new(),
            order: Order::new(home.clone()),
            heads: Heads::new(home.clone()),
            pruning: Pruning::new(home.clone(), folder),
        }
    }

    pub(super) fn is_pruned(&self) -> bool {
        self.pruning.is_pruned()
    }

    /// How many entries were gone over.
    pub(super) fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Looks at the next entry.
    pub(super) fn next(&mut self, found: &Found, entry: &Entry, findings: &mut Findings) {
        self.order.next(found.index, found.leaf, entry, findings);
        self.heads.next(found.index, (entry, &found.inner), &self.order, findings);
        self.says(found.index, entry, findings);
    }

    /// Goes over what was pruned.
    pub(super) fn begin(
        &mut self,
        folder: &LogFolder,
        findings: &mut Findings,
    ) -> Result<(), FolderError> {
        if self.pruning.is_pruned() {
            self.order.prune();
            self.heads.prune();
        }
        for bundle in 0..folder.first_bundle() {
            let left = Left::of(folder, bundle, findings)?;
            for hash in left.hashes {
                self.push(folder, hash, findings);
            }
            for found in left.kept {
                let Ok(entry) = &found.entry else { continue };
                if self.pruning.keep(&entry.event) {
                    self.order.next(found.index, found.leaf, entry, findings);
                    self.says(found.index, entry, findings);
                }
            }
        }
        Ok(())
    }

    fn says(&mut self, index: u64, entry: &Entry, findings: &mut Findings) {
        if let LogEvent::Pruned { before, .. } = &entry.event {
            self.pruning.tell(index, *before, findings);
        }
    }

    pub(super) fn push(&mut self, folder: &LogFolder, leaf: Digest, findings: &mut Findings) {
        for (tile, tree) in self.tree.push(leaf) {
            check_tile(folder, tile, &tree, findings);
        }
    }

    pub(super) fn finish(&self, folder: &LogFolder, findings: &mut Findings) {
        for (tile, tree) in self.tree.partial() {
            check_tile(folder, tile, tree, findings);
        }
        findings.done(Check::Root, self.tree.size());
        if self.tree.size() != folder.size() || self.tree.root() != folder.checkpoint().root {
            let what = format!("the entries of {} have another root", folder.checkpoint().origin);
            findings.add(Finding::fault(Check::Root, what));
        }
        self.heads.finish(findings);
        self.pruning.finish(findings);
    }
}
