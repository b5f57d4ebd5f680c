//! Checking and encoding of one commit.

use kuriiri_engine::Commit;

use super::{
    draft::Draft,
    log::{EmptiedRecords, FORGOTTEN_MAX},
};
use crate::{
    emptying::Finished,
    error::CommitError,
    journal::Changes,
    key::Key,
    log::{Going, Grown},
    sled_log::Mark,
    tree::Tree,
};

/// A commit that was checked and encoded; nothing of it is applied yet.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// All changes of records.
    pub(crate) changes: Changes,
    /// Body files that nothing refers to once the batch is durable.
    pub(crate) dead: Vec<u64>,
    /// Entries of the log before this one leave with it, if any do.
    pub(crate) forgotten: Option<u64>,
    /// What leaves among the records of headers.
    pub(crate) emptied: EmptiedRecords,
}

/// What a commit makes of the log, and what is to be noted with it.
#[derive(Debug)]
pub(crate) struct LogChanges<'a> {
    /// What it grows by.
    pub(crate) grown: Option<&'a Grown>,
    /// Headers that leave with it.
    pub(crate) going: &'a Going,
    /// Prunings that have no effect besides.
    pub(crate) covered: Vec<u64>,
    /// Headers that no file has any more.
    pub(crate) finished: Finished,
    /// Entries before this one are durable in their files, and some are still among the records.
    pub(crate) durable: Option<u64>,
}

/// Checks and encodes a commit and gives it its number. Entries of the log that have become durable in
/// their files leave with it, if not too many do.
pub(crate) fn prepare(
    db: &Tree,
    commit: &Commit,
    number: u64,
    LogChanges { grown, going, covered, finished, durable }: LogChanges<'_>,
) -> Result<Prepared, CommitError> {
    let mut draft = Draft::new(db);
    for write in &commit.writes {
        draft.add(write)?;
    }
    draft.note_finished(finished)?;
    draft.forget_prunings(&covered);
    let emptied = draft.empty_headers(going)?;
    let log = commit.log.as_ref().zip(grown);
    let added = log.map_or(Ok(0), |(append, grown)| draft.add_log(append, grown))?;
    let most = FORGOTTEN_MAX + added;
    // Last, because a record that leaves may have been changed.
    let forgotten = durable.map(|durable| draft.forget_entries(durable, most)).transpose()?;
    let dead = draft.count_bodies(commit)?;
    draft.put(&Key::Commits, &Mark::new(number))?;
    Ok(Prepared { changes: draft.records, dead, forgotten, emptied })
}
