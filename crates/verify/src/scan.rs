//! Reads a log once from its first entry to its last: several threads read and decode, one sees
//! everything in order, and no more than a window of it is in memory.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_tlog::TILE_WIDTH;
use kuriiri_types::{Digest, Entry, Header, LogEvent, Receipt};
use kuriiri_wire::{WireError, entry, header, receipt};

use crate::{
    folder::{FolderError, LogFolder, Read, bundle_of},
    lives::About,
};

/// Bundles that are read ahead by each thread, of 256 entries: some hundred kilobytes each.
const WINDOW_PER_THREAD: usize = 4;

/// One entry as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) index: u64,
    pub(crate) leaf: Digest,
    pub(crate) bytes: Bytes,
    pub(crate) entry: Result<Entry, WireError>,
    pub(crate) inner: Inner,
    /// Stands for whom it is about; made here because it takes time.
    pub(crate) about: About,
}

/// What an entry carries in an encoding of its own, decoded.
#[derive(Debug)]
pub(crate) enum Inner {
    Nothing,
    Header(Box<Header>),
    Receipt(Box<Receipt>),
    /// It cannot be read.
    Unreadable(WireError),
}

/// The entries of one bundle, or why it cannot be read.
pub(crate) type Chunk = Result<Vec<Found>, FolderError>;

/// How many threads to work with.
pub(crate) fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Shows all entries in order, from one bundle on. It ends early when `visit` says that it is enough.
pub(crate) fn scan(folder: &LogFolder, first: u64, mut visit: impl FnMut(u64, Chunk) -> bool) {
    let bundles = folder.size().div_ceil(u64::from(TILE_WIDTH));
    let window = WINDOW_PER_THREAD * threads();
    let (ask, asked) = sync_channel::<u64>(window);
    let (give, given) = sync_channel::<(u64, Chunk)>(window);
    let asked = Mutex::new(asked);
    thread::scope(|scope| {
        for _ in 0..threads() {
            let (asked, give) = (&asked, give.clone());
            scope.spawn(move || work(folder, asked, &give));
        }
        drop(give);
        deliver(first..bundles, window, ask, &given, &mut visit);
        // Whoever still works finds nobody to give to, and ends.
        drop(given);
    });
}

/// Asks for one more bundle for each that was shown, so the window is never exceeded.
fn deliver(
    bundles: Range<u64>,
    window: usize,
    ask: SyncSender<u64>,
    given: &Receiver<(u64, Chunk)>,
    visit: &mut impl FnMut(u64, Chunk) -> bool,
) {
    let mut wanted = bundles.clone();
    for index in wanted.by_ref().take(window) {
        let _ = ask.send(index);
    }
    let mut early = BTreeMap::new();
    for next in bundles {
        while !early.contains_key(&next) {
            let Ok((index, chunk)) = given.recv() else { return };
            early.insert(index, chunk);
        }
        let Some(chunk) = early.remove(&next) else { return };
        if let Some(index) = wanted.next() {
            let _ = ask.send(index);
        }
        if !visit(next, chunk) {
            return;
        }
    }
}

fn work(folder: &LogFolder, asked: &Mutex<Receiver<u64>>, give: &SyncSender<(u64, Chunk)>) {
    loop {
        let next = asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(index) = next else { return };
        if give.send((index, read(folder, index))).is_err() {
            return;
        }
    }
}

fn read(folder: &LogFolder, index: u64) -> Chunk {
    let none = || FolderError::form(folder.path(), format!("there is no bundle {index}"));
    let bundle = bundle_of(folder.size(), index).ok_or_else(none)?;
    let Read { entries, .. } = folder.bundle(bundle)?;
    let first = index * u64::from(TILE_WIDTH);
    Ok((first..).zip(entries).map(found).collect())
}

pub(crate) fn found((index, bytes): (u64, Bytes)) -> Found {
    let entry = entry::decode(&bytes);
    let inner = entry.as_ref().map_or(Inner::Nothing, |entry| inner_of(&entry.event));
    let about = match (&entry, &inner) {
        (_, Inner::Receipt(said)) => About::recipient(said),
        (Ok(Entry { event: LogEvent::Receipt(said), .. }), _) => About::recipient(said),
        (Ok(Entry { event: LogEvent::Decided(decided), .. }), _) => About::ministry(&decided.dest),
        _ => About::default(),
    };
    Found { index, leaf: leaf(&bytes), entry, inner, about, bytes }
}

fn inner_of(event: &LogEvent) -> Inner {
    if let LogEvent::Decided(decided) = event
        && let Some(envelope) = &decided.envelope
    {
        let header = header::decode(&envelope.header);
        header.map_or_else(Inner::Unreadable, |header| Inner::Header(Box::new(header)))
    } else if let LogEvent::ReceiptIn { receipt, .. } = event {
        let said = receipt::decode(&receipt.entry);
        said.map_or_else(Inner::Unreadable, |said| Inner::Receipt(Box::new(said)))
    } else {
        Inner::Nothing
    }
}
