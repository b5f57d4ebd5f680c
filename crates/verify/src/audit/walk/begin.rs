//! The beginning of a log that was pruned.

use super::Walk;
use crate::{
    finding::{Check, Finding, Findings},
    genuine::Spot,
    pruned::Left,
    scan::Found,
    tree::{check_tile, resume},
};

impl Walk<'_> {
    /// Goes over what was pruned: the leaf hashes, and what was kept.
    pub(in crate::audit) fn begin(&mut self, findings: &mut Findings) {
        if !self.pruning.is_pruned() {
            return;
        }
        self.order.prune();
        self.heads.prune();
        let bundles = self.folder.first_bundle();
        for bundle in 0..bundles {
            match Left::of(self.folder, bundle, findings) {
                Ok(left) => self.left(left, findings),
                Err(error) => {
                    let what = format!("no leaf hashes are there of what was pruned: {error}");
                    findings.add(Finding::fault(Check::Files, what));
                    return self.resume(bundles, findings);
                }
            }
        }
    }

    fn left(&mut self, left: Left, findings: &mut Findings) {
        let mut kept = left.kept.into_iter().peekable();
        for hash in left.hashes {
            self.known.check(&self.tree, &self.anchors.trust, findings);
            if let Some(found) = kept.next_if(|found| found.index == self.tree.size()) {
                self.kept(found, findings);
            }
            for (tile, tree) in self.tree.push(hash) {
                check_tile(self.folder, tile, &tree, findings);
            }
        }
    }

    /// An entry that was kept, as if it stood among others.
    fn kept(&mut self, found: Found, findings: &mut Findings) {
        if found.entry.as_ref().is_ok_and(|entry| !self.pruning.keep(&entry.event)) {
            return;
        }
        let Found { index, leaf, entry, inner, about, .. } = found;
        let Some(entry) = self.readable(index, entry, findings) else { return };
        self.order.next(index, leaf, &entry, findings);
        self.event(Spot { index, at: entry.at }, entry, (inner, about), findings);
    }

    /// Goes on behind what was pruned by the tiles above its leaves.
    fn resume(&mut self, bundles: u64, findings: &mut Findings) {
        match resume(self.folder, bundles) {
            Ok(tree) => {
                self.tree = tree;
                self.known.skip_to(self.tree.size());
            }
            Err(error) => findings.add(Finding::fault(Check::Files, error.to_string())),
        }
    }
}
