//! Headers that stand beside entries of a log, each a function of the entry's place, and what is to be
//! found of them in its folder.

use std::{
    collections::BTreeSet,
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_store::{Named, Options, Store};
use kuriiri_tlog::{Bundle, EntryHeaders, bundles_of, decode_headers, encode_headers};
use kuriiri_types::{Digest, Timestamp};

use crate::made::noise;

/// How entries begin that name messages for the first time.
const SIGN: &[u8; 8] = b"messages";

/// A store that can read of these entries which headers stand beside them.
pub(crate) fn options() -> Options {
    Options::default().entries(named)
}

/// Whether headers stand beside the entry at a place: beside one in five.
pub(crate) fn is_headed(index: u64) -> bool {
    index % 5 == 2
}

/// The entry at such a place.
pub(crate) fn headed_entry(index: u64) -> Bytes {
    [SIGN.as_slice(), &index.to_be_bytes()].concat().into()
}

/// The headers beside it; beside one in fifty of them nearly as many as one stored value has room for.
pub(crate) fn headers(index: u64) -> Vec<Bytes> {
    let (count, len) = if index % 250 == 2 { (64, 400) } else { (1 + index % 4, 30) };
    (0..count).map(|nth| noise(len, index * 100 + nth).into()).collect()
}

/// Until when they are kept: some a second, some two, some three.
pub(crate) fn keep_until(index: u64) -> Timestamp {
    second(1 + i64::try_from(index % 3).unwrap())
}

pub(crate) fn second(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1000 * seconds)
}

/// The digest that an entry has of a header.
pub(crate) fn digest(index: u64, nth: usize) -> Digest {
    leaf(&headers(index)[nth])
}

fn named(entry: &Bytes) -> Option<Named> {
    let index = u64::from_be_bytes(entry.strip_prefix(SIGN)?.try_into().ok()?);
    let headers = headers(index).iter().map(|header| leaf(header)).collect();
    Some(Named { keep_until: keep_until(index), headers })
}

/// Which headers left.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gone {
    prunings: Vec<(u64, Timestamp)>,
    erased: BTreeSet<(u64, usize)>,
}

impl Gone {
    /// Those beside entries before a place, if they are kept until this time at most.
    pub(crate) fn prune(&mut self, before: u64, until: Timestamp) {
        self.prunings.push((before, until));
    }

    pub(crate) fn erase(&mut self, index: u64, nth: usize) {
        self.erased.insert((index, nth));
    }

    fn has(&self, index: u64, nth: usize) -> bool {
        let is_over =
            |(before, until): &(u64, Timestamp)| index < *before && keep_until(index) <= *until;
        self.prunings.iter().any(is_over) || self.erased.contains(&(index, nth))
    }

    /// What is left beside an entry.
    pub(crate) fn left(&self, index: u64) -> Vec<Option<Bytes>> {
        if !is_headed(index) {
            return Vec::new();
        }
        let places = headers(index).into_iter().enumerate();
        places.map(|(nth, header)| (!self.has(index, nth)).then_some(header)).collect()
    }

    /// How many are left beside entries of these places that are kept until a time at most.
    pub(crate) fn count(&self, places: Range<u64>, until: Timestamp) -> u64 {
        let over = places.filter(|index| keep_until(*index) <= until);
        over.map(|index| self.left(index).iter().flatten().count() as u64).sum()
    }
}

/// What the file of headers beside a bundle has; nothing when there is none.
pub(crate) fn expected(bundle: Bundle, size: u64, gone: &Gone) -> Option<Vec<u8>> {
    let first = bundle.index * 256;
    let places = first..first + u64::from(bundle.width);
    let headed = places.clone().filter(|index| is_headed(*index));
    let part = |index: u64| EntryHeaders {
        place: u8::try_from(index % 256).unwrap(),
        headers: gone.left(index),
    };
    let parts: Vec<EntryHeaders> = headed.map(part).collect();
    let is_there = parts.iter().any(|part| part.headers.iter().any(Option::is_some));
    (is_there && places.end <= size).then(|| encode_headers(&parts).unwrap())
}

/// As a witness reads the headers beside a bundle of a log: what is there is what the entries name, and
/// nothing is missing that did not leave. What left may still be there.
pub(crate) fn verify_bundle(log: &Path, bundle: Bundle, gone: &Gone) {
    let found = fetch(log, bundle).map(|file| decode_headers(&file.into()).unwrap());
    let found = found.unwrap_or_default();
    let first = bundle.index * 256;
    for index in (first..first + u64::from(bundle.width)).filter(|index| is_headed(*index)) {
        let part = found.iter().find(|part| u64::from(part.place) == index % 256);
        for (nth, header) in headers(index).into_iter().enumerate() {
            let place = part.and_then(|part| part.headers[nth].clone());
            let is_right = place.as_ref() == Some(&header);
            let may_miss = place.is_none() && gone.has(index, nth);
            assert!(is_right || may_miss, "header {nth} beside entry {index}");
        }
    }
}

fn fetch(log: &Path, bundle: Bundle) -> Option<Vec<u8>> {
    let full = Bundle { width: 256, ..bundle };
    [bundle, full].into_iter().find_map(|bundle| match fs::read(log.join(bundle.headers_path())) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        other => Some(other.unwrap()),
    })
}

/// All files of headers that a log of this size has, with what is left in them.
pub(crate) fn files_of(size: u64, gone: &Gone) -> Vec<(PathBuf, Vec<u8>)> {
    let files = bundles_of(size).filter_map(|bundle| {
        Some((PathBuf::from(bundle.headers_path()), expected(bundle, size, gone)?))
    });
    files.collect()
}

/// The store gives of all headers those that are left.
pub(crate) fn check(store: &Store, size: u64, gone: &Gone) {
    for index in (0..size).chain([size, size + 5, u64::MAX]) {
        let expected = if index < size { gone.left(index) } else { Vec::new() };
        assert_eq!(store.headers(index), Ok(expected), "beside entry {index}");
    }
}
