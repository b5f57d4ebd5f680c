//! What each of the two logs must be in itself.

use kuriiri_tlog::TileEdge;
use kuriiri_types::{Digest, Direction, Entry, Ministry};

use crate::{
    finding::{Check, Finding, Findings},
    folder::LogFolder,
    found::Found,
    heads::Heads,
    order::Order,
    tree::check_tile,
};

/// What a log must be in itself.
pub(super) struct Own {
    tree: TileEdge,
    order: Order,
    heads: Heads,
}

impl Own {
    pub(super) fn new(home: &Ministry, origin: &str) -> Self {
        Self {
            tree: TileEdge::new(),
            order: Order::new(home.clone(), origin),
            heads: Heads::new(home.clone()),
        }
    }

    /// How many entries were read.
    pub(super) fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Where a chain ends so far.
    pub(super) fn end(&self, peer: &Ministry, direction: Direction) -> (u64, Digest) {
        self.order.end(peer, direction)
    }

    /// Looks at the next entry.
    pub(super) fn next(&mut self, found: &Found, entry: &Entry, findings: &mut Findings) {
        self.order.next(found.index, found.leaf, (entry, found.came()), findings);
        self.heads.next(found.index, (entry, found.came()), &self.order, findings);
    }

    pub(super) fn push(&mut self, folder: &LogFolder, leaf: Digest, findings: &mut Findings) {
        for (tile, tree) in self.tree.push(leaf) {
            check_tile(folder, tile, &tree, findings);
        }
    }

    /// Goes on behind entries of which only the root over their hashes is known.
    pub(super) fn push_full(&mut self, root: Digest) -> bool {
        self.tree.push_full(root)
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
        self.order.finish(findings);
    }
}
