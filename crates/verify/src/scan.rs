//! Reads a log once from its first entry to its last: several threads read and decode, one sees
//! everything in order, and no more than a window of it is in memory.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use kuriiri_tlog::TILE_WIDTH;

use crate::{
    folder::{FolderError, LogFolder, Read, bundle_of},
    found::{Beside, Found, found},
};

/// Bundles that are read ahead by each thread, of 256 entries: some megabytes each.
const WINDOW_PER_THREAD: usize = 4;

/// The entries of one bundle, and what is wrong with the headers beside them.
#[derive(Debug)]
pub(crate) struct Chunk<T> {
    pub(crate) entries: Vec<T>,
    pub(crate) flaws: Vec<String>,
}

/// A bundle, or why it cannot be read.
pub(crate) type Scanned<T> = Result<Chunk<T>, FolderError>;

/// How many threads to work with.
pub(crate) fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Shows all entries in order, each as it was prepared by some thread. It ends early when `visit` says
/// that it is enough.
pub(crate) fn scan<T: Send>(
    folder: &LogFolder,
    prepare: impl Fn(Found) -> T + Sync,
    mut visit: impl FnMut(Scanned<T>) -> bool,
) {
    let bundles = folder.size().div_ceil(u64::from(TILE_WIDTH));
    let window = WINDOW_PER_THREAD * threads();
    let (ask, asked) = sync_channel::<u64>(window);
    let (give, given) = sync_channel::<(u64, Scanned<T>)>(window);
    let asked = Mutex::new(asked);
    thread::scope(|scope| {
        for _ in 0..threads() {
            let (asked, give, prepare) = (&asked, give.clone(), &prepare);
            scope.spawn(move || work(folder, prepare, asked, &give));
        }
        drop(give);
        deliver(bundles, window, ask, &given, &mut visit);
        // Whoever still works finds nobody to give to, and ends.
        drop(given);
    });
}

/// Shows every entry in order.
///
/// # Errors
/// When a bundle cannot be read.
pub(crate) fn each(folder: &LogFolder, mut visit: impl FnMut(Found)) -> Result<(), FolderError> {
    let mut failed = None;
    scan(
        folder,
        |found| found,
        |chunk| match chunk {
            Ok(chunk) => {
                chunk.entries.into_iter().for_each(&mut visit);
                true
            }
            Err(error) => {
                failed = Some(error);
                false
            }
        },
    );
    failed.map_or(Ok(()), Err)
}

/// Asks for one more bundle for each that was shown, so the window is never exceeded.
fn deliver<T>(
    bundles: u64,
    window: usize,
    ask: SyncSender<u64>,
    given: &Receiver<(u64, Scanned<T>)>,
    visit: &mut impl FnMut(Scanned<T>) -> bool,
) {
    let mut wanted = 0..bundles;
    for index in wanted.by_ref().take(window) {
        let _ = ask.send(index);
    }
    let mut early = BTreeMap::new();
    for next in 0..bundles {
        while !early.contains_key(&next) {
            let Ok((index, chunk)) = given.recv() else { return };
            early.insert(index, chunk);
        }
        let Some(chunk) = early.remove(&next) else { return };
        if let Some(index) = wanted.next() {
            let _ = ask.send(index);
        }
        if !visit(chunk) {
            return;
        }
    }
}

fn work<T>(
    folder: &LogFolder,
    prepare: &impl Fn(Found) -> T,
    asked: &Mutex<Receiver<u64>>,
    give: &SyncSender<(u64, Scanned<T>)>,
) {
    loop {
        let next = asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(index) = next else { return };
        let chunk = read(folder, index).map(|Chunk { entries, flaws }| Chunk {
            entries: entries.into_iter().map(prepare).collect(),
            flaws,
        });
        if give.send((index, chunk)).is_err() {
            return;
        }
    }
}

/// A bundle with the headers beside it.
fn read(folder: &LogFolder, index: u64) -> Scanned<Found> {
    let none = || FolderError::form(folder.path(), format!("there is no bundle {index}"));
    let bundle = bundle_of(folder.size(), index).ok_or_else(none)?;
    let Read { entries, .. } = folder.bundle(bundle)?;
    let first = index * u64::from(TILE_WIDTH);
    let mut entries: Vec<Found> = (first..).zip(entries).map(found).collect();
    let mut flaws = Vec::new();
    match folder.headers(bundle) {
        Ok(parts) => {
            entries.iter_mut().for_each(Found::expect_headers);
            for part in parts {
                let place = usize::from(part.place);
                let taken = entries.get_mut(place).map(|found| found.take_headers(part.headers));
                flaws.extend(taken.and_then(Result::err));
            }
        }
        Err(error) => {
            entries.iter_mut().for_each(|found| found.headers = Beside::Unknown);
            flaws.push(error.to_string());
        }
    }
    Ok(Chunk { entries, flaws })
}

/// One entry with the headers beside it, of a log that is not read from its beginning.
///
/// # Errors
/// When there is no such entry, or a file cannot be read.
pub(crate) fn found_in(folder: &LogFolder, index: u64) -> Result<Found, FolderError> {
    let mut one = found((index, folder.entry(index)?));
    let (bundle, place) = (index / u64::from(TILE_WIDTH), index % u64::from(TILE_WIDTH));
    if one.names_first()
        && let Some(bundle) = bundle_of(folder.size(), bundle)
    {
        let parts = folder.headers(bundle)?;
        let part = parts.into_iter().find(|part| u64::from(part.place) == place);
        one.expect_headers();
        let taken = part.map_or(Ok(()), |part| one.take_headers(part.headers));
        taken.map_err(|what| FolderError::form(folder.path(), what))?;
    }
    Ok(one)
}
