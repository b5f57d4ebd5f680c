//! Headers that stand beside the log: read, counted, and emptied when they leave.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
};

use bytes::Bytes;
use kuriiri_engine::ViewError;
use kuriiri_merkle::leaf;
use kuriiri_tlog::{Bundle, EntryHeaders, TILE_WIDTH};
use kuriiri_types::{Digest, Timestamp};

use super::{
    beside::{Beside, Headed, Named, has_headers},
    edge::{Edge, Full, WIDTH},
    fault::Fault,
    going::Going,
    recorded,
    state::{Log, lock},
};
use crate::{error::CommitError, key::Key, records::record, tree::Tree};

/// What emptying the places beside the entries of a bundle came to.
#[derive(Debug, Default)]
pub(crate) struct Emptied {
    /// The headers that were erased.
    pub(crate) erased: Vec<Digest>,
    /// When the first of those leaves that are left, if it was looked for; nothing inside when none is left.
    pub(crate) next: Option<Option<Timestamp>>,
}

impl Log {
    // === reading ===

    /// The headers beside an entry, in the order of the messages that it names for the first time; none
    /// where one left. A header that is missing for no reason is damage, and so is another one.
    pub(crate) fn headers(&self, db: &Tree, index: u64) -> Result<Vec<Option<Bytes>>, ViewError> {
        // A file that is read may be replaced meanwhile, and what was erased is forgotten once it is.
        let before = self.gone();
        let edge = self.edge();
        let Some(entry) = self.entry(index)?.filter(|_| index < edge.size()) else {
            return Ok(Vec::new());
        };
        let Some(named) = (self.read_named)(&entry) else { return Ok(Vec::new()) };
        let bundle = Bundle { index: index / WIDTH, width: TILE_WIDTH };
        let found = if index >= edge.size() - edge.size() % WIDTH {
            edge.headed(index).map(|headed| headed.headers.clone())
        } else {
            let parts = self.files.read_headers(bundle)?.unwrap_or_default();
            let part = parts.into_iter().find(|part| u64::from(part.place) == index % WIDTH);
            part.map(|part| part.headers.iter().map(copied).collect())
        };
        let found = found.unwrap_or_else(|| vec![None; named.headers.len()]);
        let damaged = |what: &str| self.files.damaged(&bundle.headers_path(), what);
        if found.len() != named.headers.len() {
            return Err(damaged("it has other places than the log says").into());
        }
        // Later than the file was read: what left it meanwhile is known by now.
        let gone = self.gone();
        let has_left = |digest: &Digest| {
            [&before, &gone].iter().any(|gone| gone.takes(index, named.keep_until, digest))
        };
        let places = found.into_iter().zip(&named.headers);
        let places = places.map(|(header, digest)| {
            let may_miss = || self.may_miss(db, &gone, index, &named, digest);
            match header {
                Some(header) if leaf(&header) != *digest => {
                    Err(damaged("it is not what the log names").into())
                }
                Some(_) if has_left(digest) => Ok(None),
                Some(header) => Ok(Some(header)),
                None if may_miss()? => Ok(None),
                None => Err(damaged(&format!("a header beside entry {index} is missing")).into()),
            }
        });
        places.collect()
    }

    fn may_miss(
        &self,
        db: &Tree,
        gone: &Going,
        index: u64,
        named: &Named,
        header: &Digest,
    ) -> Result<bool, ViewError> {
        if gone.takes(index, named.keep_until, header) {
            return Ok(true);
        }
        let erased: Option<(u64, bool)> = record(db, &Key::Erased(*header))?;
        Ok(erased.is_some_and(|(before, _)| index < before))
    }

    /// How many headers are left that are kept until this time at most.
    pub(crate) fn prunable(&self, db: &Tree, until: Timestamp) -> Result<u64, ViewError> {
        let (edge, mut count) = (self.edge(), 0);
        for bundle in recorded::bundles(db, Key::kept_through(until))? {
            let before = self.gone();
            let beside = self.beside(&edge, bundle)?;
            let gone = [before, self.gone()];
            for (place, mut headed) in beside {
                let index = bundle * WIDTH + u64::from(place);
                for gone in &gone {
                    if gone.touches(index, &headed) {
                        gone.empty(index, Arc::make_mut(&mut headed));
                    }
                }
                let left = if headed.keep_until <= until { headed.left() } else { 0 };
                count += u64::try_from(left).unwrap_or(u64::MAX);
            }
        }
        Ok(count)
    }

    /// The leaf hashes of headers that are left and are what somebody looks for.
    pub(crate) fn find_headers(
        &self,
        db: &Tree,
        is_it: impl Fn(&[u8]) -> bool,
    ) -> Result<BTreeSet<Digest>, ViewError> {
        let mut found = BTreeSet::new();
        for bundle in recorded::bundles(db, Key::kept())?.into_iter().rev() {
            for index in self.places_of(bundle, &is_it)? {
                let left = self.headers(db, index)?;
                let left = left.iter().flatten().filter(|header| is_it(header));
                found.extend(left.map(|header| leaf(header)));
            }
        }
        Ok(found)
    }

    /// The entries of a bundle beside which there is what somebody looks for. It may have left since.
    fn places_of(&self, bundle: u64, is_it: impl Fn(&[u8]) -> bool) -> Result<Vec<u64>, ViewError> {
        let edge = self.edge();
        let has_it =
            |headers: &[Option<Bytes>]| headers.iter().flatten().any(|header| is_it(header));
        let places: Vec<u8> = if bundle < edge.size() / WIDTH {
            let parts = self.files.read_headers(Bundle { index: bundle, width: TILE_WIDTH })?;
            let parts = parts.unwrap_or_default().into_iter();
            parts.filter(|part| has_it(&part.headers)).map(|part| part.place).collect()
        } else {
            let beside = edge.beside().iter().filter(|(_, headed)| has_it(&headed.headers));
            beside.map(|(place, _)| *place).collect()
        };
        Ok(places.into_iter().map(|place| bundle * WIDTH + u64::from(place)).collect())
    }

    /// The headers beside the entries of a bundle.
    fn beside(&self, edge: &Edge, bundle: u64) -> Result<Beside, Fault> {
        if bundle >= edge.size() / WIDTH {
            let is_partial = bundle == edge.size() / WIDTH;
            return Ok(if is_partial { edge.beside().clone() } else { Beside::new() });
        }
        let bundle = Bundle { index: bundle, width: TILE_WIDTH };
        match self.files.read_headers(bundle)? {
            Some(parts) => self.with_times(bundle, parts),
            None => Ok(Beside::new()),
        }
    }

    /// Adds to the headers in a file until when they are kept.
    fn with_times(&self, bundle: Bundle, parts: Vec<EntryHeaders>) -> Result<Beside, Fault> {
        let entries = self.bundle(bundle)?;
        let damaged =
            || self.files.damaged(&bundle.headers_path(), "it has other places than the log says");
        let headed = parts.into_iter().map(|EntryHeaders { place, headers }| {
            let named = entries.get(usize::from(place)).and_then(self.read_named);
            let named = named.filter(|named| named.headers.len() == headers.len());
            let keep_until = named.ok_or_else(damaged)?.keep_until;
            Ok((place, Arc::new(Headed { keep_until, headers })))
        });
        headed.collect()
    }

    // === leaving ===

    /// Empties places in the file of a bundle whose entries have left the records, durably.
    pub(crate) fn empty(&self, bundle: u64, going: &Going) -> Result<Emptied, Fault> {
        let bundle = Bundle { index: bundle, width: TILE_WIDTH };
        let Some(parts) = self.files.read_headers(bundle)? else {
            return Ok(Emptied { next: Some(None), ..Emptied::default() });
        };
        let first = bundle.index * WIDTH;
        let is_erased = |part: &EntryHeaders| {
            let index = first + u64::from(part.place);
            part.headers.iter().flatten().any(|header| going.erased_one(index, header).is_some())
        };
        // Without reading the entries, because a search for one header looks at many bundles.
        if going.pruned.is_empty() && !parts.iter().any(is_erased) {
            return Ok(Emptied::default());
        }
        let mut beside = self.with_times(bundle, parts)?;
        let mut emptied = Emptied::default();
        let mut has_changed = false;
        for (place, headed) in &mut beside {
            let index = first + u64::from(*place);
            if going.touches(index, headed) {
                has_changed = true;
                emptied.erased.extend(going.empty(index, Arc::make_mut(headed)));
            }
        }
        let left = beside.iter().filter(|(_, headed)| headed.left() > 0);
        emptied.next = Some(left.map(|(_, headed)| headed.keep_until).min());
        if has_changed {
            let file = Full::Headers(bundle, beside);
            let place = self.files.log.join(bundle.headers_path());
            self.files.put_emptied(&place, &file, self.synced).map_err(Fault::io(&place))?;
        }
        Ok(emptied)
    }

    /// Writes the files of bundles again whose headers changed among the records.
    pub(crate) fn show_emptied(
        &self,
        db: &Tree,
        bundles: &BTreeSet<u64>,
    ) -> Result<(), CommitError> {
        if bundles.is_empty() {
            return Ok(());
        }
        let _shown = lock(&self.shown);
        let size = self.size();
        for index in bundles {
            let beside = recorded::headed_in(db, *index)?;
            let rest = u16::try_from(size - index * WIDTH).unwrap_or(TILE_WIDTH);
            let file = Full::Headers(Bundle { index: *index, width: rest.min(TILE_WIDTH) }, beside);
            self.show_one_emptied(&file).map_err(CommitError::not_now(&self.files.log))?;
        }
        Ok(())
    }

    fn show_one_emptied(&self, file: &Full) -> io::Result<()> {
        self.files.mend_partial(file)?;
        let Full::Headers(bundle @ Bundle { width: TILE_WIDTH, .. }, beside) = file else {
            return Ok(());
        };
        let path = bundle.headers_path();
        // What waits is not released meanwhile: that needs what the caller has locked.
        if !self.locked().waiting.contains(&path) {
            return self.files.put_emptied(&self.files.log.join(path), file, self.synced);
        }
        if !has_headers(beside) {
            self.locked().waiting.retain(|waiting| *waiting != path);
        }
        self.files.put_emptied(&self.files.waiting.join(path), file, false)
    }

    /// The earlier prunings that have no effect besides what leaves now.
    pub(crate) fn covered(&self, going: &Going) -> Vec<u64> {
        if going.pruned.is_empty() {
            return Vec::new();
        }
        Going::clone(&self.gone()).add(going.clone())
    }

    /// No file has these headers any more.
    pub(crate) fn forget_erased(&self, headers: &BTreeMap<Digest, u64>) {
        if !headers.is_empty() {
            let mut state = self.locked();
            Arc::make_mut(&mut state.gone).erased.retain(|header, _| !headers.contains_key(header));
        }
    }
}

/// A copy, because who keeps it must not keep its whole file in memory.
fn copied(header: &Option<Bytes>) -> Option<Bytes> {
    header.as_deref().map(Bytes::copy_from_slice)
}
