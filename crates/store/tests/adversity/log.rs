//! A log to store, whose entries follow from their places, and a look at its folder with nothing of
//! the store's.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use bytes::Bytes;
use kuriiri_engine::{ChannelEnd, Commit, LogAppend, LogHead};
use kuriiri_merkle::{Frontier, Growth, leaf};
use kuriiri_seal::NoteKey;
use kuriiri_store::Store;
use kuriiri_tlog::{
    Bundle, Checkpoint, NoteSigner, Tile, VerifierKey, bundles_of, decode_bundle, encode_bundle,
    encode_tile, tiles_of,
};
use kuriiri_types::{Digest, Direction, Ministry};

use crate::{
    beside::{self, Gone, headed_entry, headers, is_headed},
    made::{noise, time},
};

/// The entry at a place; one in fifty is over 20 KiB, and one in five has headers beside it.
pub(crate) fn entry(index: u64) -> Bytes {
    if is_headed(index) {
        return headed_entry(index);
    }
    let len = if index % 50 == 49 { 20_481 + index % 6_000 } else { 1 + index % 90 };
    let some = noise(16, index);
    some.iter().cycle().take(usize::try_from(len).unwrap()).copied().collect()
}

/// What an engine would keep of its log.
pub(crate) struct Log {
    signer: NoteSigner,
    frontier: Frontier,
    head: LogHead,
    ends: BTreeMap<(Ministry, Direction), ChannelEnd>,
}

/// The chain that an entry is a link of; names of peers begin with those of others.
fn chain(index: u64) -> (Ministry, Direction) {
    let direction = if index.is_multiple_of(2) { Direction::In } else { Direction::Out };
    (["a", "a.b", "a-b", "b"][usize::try_from(index % 7 % 4).unwrap()].parse().unwrap(), direction)
}

impl Log {
    pub(crate) fn new() -> Self {
        Self::on(&LogHead::default(), &NoteKey::generate().unwrap().1)
    }

    /// The second log of the ministry.
    pub(crate) fn second() -> Self {
        let first = Self::new();
        Self { signer: first.signer.renamed("relay.sm.example/log/2".parse().unwrap()), ..first }
    }

    /// Goes on with a log.
    pub(crate) fn on(head: &LogHead, pem: &str) -> Self {
        let key = NoteKey::from_pem(pem).unwrap();
        let frontier = Frontier::from_parts(head.size, head.frontier.clone()).unwrap();
        let signer = NoteSigner::new("relay.sm.example/log".parse().unwrap(), key);
        Self { signer, frontier, head: head.clone(), ends: BTreeMap::new() }
    }

    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(crate) fn head(&self) -> LogHead {
        self.head.clone()
    }

    /// Where each chain ends.
    pub(crate) fn ends(&self) -> Vec<ChannelEnd> {
        self.ends.values().cloned().collect()
    }

    pub(crate) fn key(&self) -> &VerifierKey {
        self.signer.verifier_key()
    }

    /// The log with so many more entries.
    pub(crate) fn append(&mut self, count: u64) -> LogAppend {
        let first = self.size();
        let entries: Vec<Bytes> = (first..first + count).map(entry).collect();
        let leaves: Vec<Digest> = entries.iter().map(|entry| leaf(entry)).collect();
        leaves.iter().for_each(|leaf| self.frontier.push(*leaf));
        self.head = LogHead {
            size: self.size(),
            frontier: self.frontier.nodes().to_vec(),
            policy: Some(Digest([1; 32])),
            at: time(first),
        };
        let headed = (first..first + count).filter(|index| is_headed(*index));
        let headers = headed.map(|index| (index, headers(index))).collect();
        let channels = self.link(first, &leaves);
        let (head, checkpoint) = (self.head.clone(), self.checkpoint());
        LogAppend { first, entries, headers, leaves, channels, head, checkpoint, news: true }
    }

    /// Makes entries links of their chains; gives the ends that moved.
    fn link(&mut self, first: u64, leaves: &[Digest]) -> Vec<ChannelEnd> {
        let mut moved = BTreeMap::new();
        for (index, leaf) in (first..).zip(leaves) {
            let (peer, direction) = chain(index);
            let end = self.ends.get(&(peer.clone(), direction));
            let next = end.map_or(0, |end| end.next) + 1;
            let end = ChannelEnd { peer: peer.clone(), direction, next, last: *leaf };
            self.ends.insert((peer.clone(), direction), end.clone());
            moved.insert((peer, direction), end);
        }
        moved.into_values().collect()
    }

    /// The checkpoint of the log as it is.
    pub(crate) fn checkpoint(&self) -> Bytes {
        let (size, root) = (self.frontier.size(), self.frontier.root());
        let origin = self.signer.name().to_string();
        Checkpoint { origin, size, root }.sign(&self.signer).unwrap()
    }

    pub(crate) fn commit(&mut self, count: u64) -> Commit {
        Commit { log: Some(self.append(count)), ..Commit::default() }
    }

    /// A commit that says of others' logs that they were witnessed, and nothing else.
    pub(crate) fn idle_commit(&mut self, count: u64) -> Commit {
        let log = LogAppend { news: false, ..self.append(count) };
        Commit { log: Some(log), ..Commit::default() }
    }

    /// Commits so many entries in commits of so many.
    pub(crate) async fn grow(&mut self, store: &Store, count: u64, by: u64) {
        let end = self.size() + count;
        while self.size() < end {
            let commit = self.commit(by.min(end - self.size()));
            store.commit(commit).await.unwrap();
        }
    }
}

/// The tree over the first entries.
pub(crate) fn tree(size: u64) -> Growth {
    (0..size).map(|index| leaf(&entry(index))).collect()
}

/// The bytes that a file of the log has; nothing if the tree has no such file.
fn expected(path: &str, tree: &Growth, gone: &Gone) -> Option<Vec<u8>> {
    if let Some(bundle) = Bundle::parse_headers(path) {
        return beside::expected(bundle, tree.size(), gone);
    }
    let range = |index: u64, width: u16| index * 256..index * 256 + u64::from(width);
    if let Some(Bundle { index, width }) = Bundle::parse(path) {
        let range = Some(range(index, width)).filter(|range| range.end <= tree.size())?;
        return Some(encode_bundle(&range.map(entry).collect::<Vec<_>>()).unwrap());
    }
    let Tile { level, index, width } = Tile::parse(path)?;
    let hashes: Option<Vec<Digest>> =
        range(index, width).map(|index| tree.node(level * 8, index)).collect();
    Some(encode_tile(&hashes?))
}

/// As a client of C2SP `tlog-tiles` reads: the partial file, or else the full one, which begins so.
fn fetch(log: &Path, path: &str) -> Vec<u8> {
    match fs::read(log.join(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let full = path.split_once(".p/").map_or(path, |(full, _)| full);
            fs::read(log.join(full)).unwrap_or_else(|error| panic!("{path}: {error}"))
        }
        other => other.unwrap(),
    }
}

/// Reads what the checkpoint speaks of, and verifies all of it.
pub(crate) fn verify(log: &Path, key: &VerifierKey) -> Checkpoint {
    verify_without(log, key, &Gone::default())
}

/// The same where these headers may be missing.
pub(crate) fn verify_without(log: &Path, key: &VerifierKey, gone: &Gone) -> Checkpoint {
    let note = fs::read(log.join("checkpoint")).unwrap();
    let checkpoint = Checkpoint::verify(&note, key).unwrap();
    let mut tree = Growth::default();
    for bundle in bundles_of(checkpoint.size) {
        let path = bundle.path();
        let bytes = fetch(log, &path);
        // A full bundle in the place of a partial one has more entries.
        let all = (bundle.width..=256).find_map(|width| decode_bundle(&bytes, width).ok());
        let all = all.unwrap_or_else(|| panic!("{path} is no bundle"));
        for (index, found) in (tree.size()..).zip(&all[..bundle.width.into()]) {
            assert!(*found == entry(index), "entry {index}");
            tree.push(leaf(found));
        }
        beside::verify_bundle(log, bundle, gone);
    }
    assert_eq!(tree.root(), checkpoint.root);
    for tile in tiles_of(checkpoint.size) {
        let expected = expected(&tile.path(), &tree, gone).unwrap();
        assert!(fetch(log, &tile.path()).starts_with(&expected), "{}", tile.path());
    }
    checkpoint
}

/// Every file in the log is one of the tree, to the byte, however large that is by now.
pub(crate) fn verify_files(log: &Path, tree: &Growth) {
    verify_files_without(log, tree, &Gone::default());
}

/// The same, but for headers, which may be about to leave.
pub(crate) fn verify_tree_files(log: &Path, tree: &Growth) {
    let files = crate::made::files(log).into_iter();
    for (path, bytes) in files.filter(|(path, _)| path.starts_with("tile/") && !path.ends_with('/'))
    {
        let expected = expected(&path, tree, &Gone::default());
        assert!(expected.is_some_and(|expected| expected == bytes), "{path}");
    }
}

/// The same after these headers left.
pub(crate) fn verify_files_without(log: &Path, tree: &Growth, gone: &Gone) {
    for (path, bytes) in crate::made::files(log) {
        if path.ends_with('/') || path == "checkpoint" {
            continue;
        }
        let expected = expected(&path, tree, gone);
        assert!(expected.is_some_and(|expected| expected == bytes), "{path}");
    }
}

/// The log at rest shows all files of its tree, no other but narrower ones, and all is verified.
pub(crate) fn verify_at_rest(log: &Path, key: &VerifierKey, tree: &Growth) {
    verify_at_rest_without(log, key, tree, &Gone::default());
}

/// The same after these headers left.
pub(crate) fn verify_at_rest_without(log: &Path, key: &VerifierKey, tree: &Growth, gone: &Gone) {
    assert_eq!(verify_without(log, key, gone).size, tree.size());
    verify_files_without(log, tree, gone);
    let found: BTreeSet<String> = crate::made::files(log).into_keys().collect();
    let bundles = bundles_of(tree.size()).map(|bundle| bundle.path());
    let headers = beside::files_of(tree.size(), gone).into_iter();
    let headers = headers.map(|(path, _)| path.to_str().unwrap().to_owned());
    for path in tiles_of(tree.size()).map(|tile| tile.path()).chain(bundles).chain(headers) {
        assert!(found.contains(&path), "{path} is missing");
        assert!(path.contains(".p/") || !found.contains(&format!("{path}.p/")), "{path}.p stays");
    }
}
