//! The durable state of a relay: queues, marks and certificates in a journal and in sled, large bodies in
//! files.
//!
//! A [`Store`] takes the engine's [`Commit`](kuriiri_engine::Commit) and answers when all of it
//! would survive a power cut, or none of it does. It shows the committed state to the engine as a
//! [`View`](kuriiri_engine::View).
//!
//! What it does **not** do: it decides nothing, reads no clock, gives out no numbers, and is no
//! cure for bits that rot at rest. A damaged page is an error when it is read. A damaged end of
//! sled's log is found before sled may cut it off, and a database that ends before the last
//! acknowledged commit is refused. But damage in an older part of the log that was written since
//! the last start can make sled fall back to an earlier state of a page, and nothing here sees
//! that: the disk below must keep what it was given.
//!
//! # The folder
//!
//! | name | what it is |
//! |---|---|
//! | `tip` | number of the last acknowledged commit, and the lock on the folder |
//! | `journal/` | what the last commits changed, until sled has it; gone after a clean stop |
//! | `conf`, `db`, `snap.*` | sled 0.34 |
//! | `covers` | the keys under which bodies and headers of messages stand in `db`, each overwritten when its record is gone |
//! | `blobs/` | where sled puts what does not fit a segment, unsynced; stays empty, see [`Store`] |
//! | `log/` | the transparency log as C2SP `tlog-tiles` has it, its checkpoint and hashes for all to read, and headers beside its entries; derived from the records |
//! | `log-waiting/` | files of the log that are full before its next checkpoint; made anew at a start |
//! | `reserve` | room that is given up when the disk is full, see [`Store::room`] |
//! | `bodies/N` | bodies too large for a pack, one file for each commit that has some |
//!
//! # The barrier
//!
//! A commit is: body file and its folder synced, one record appended to the journal, one `fdatasync` of
//! that, and only then the answer. A thread of its own puts what 16 MiB of commits came to into sled.
//! `flush()` of sled 0.34 writes without asking the disk to make it durable, so an `fdatasync` of `db`
//! through a second handle follows before a file of the journal goes. A page over a quarter of a segment
//! would go to `blobs/` and past this barrier; the bounds on values make that impossible, and it is
//! checked each time. A start puts into sled what only the journal has.
//!
//! What opening needs is durable with its name before the first number in `tip`: sled syncs neither `conf`
//! nor any name.
//!
//! # A full disk
//!
//! All that a commit needs is written before the record that makes it durable, or has room that was kept for
//! it: files of bodies and of the log, the rest of the journal's file, and what sled takes next. Where there is
//! none, [`CommitError::NotNow`] gives the commit back, nothing has changed, and it can be tried again.
//! [`Store::room`] tells early enough to take in less. The reserve goes at a start, when sled cannot take the
//! commits of a whole file, and by [`Store::use_reserve`].
//!
//! # The log
//!
//! Entries of the log stand among the records until `syncfs` made their files durable, at the
//! latest every 65,536 entries or 64 MiB. So a start writes again whatever a crash can have torn, or somebody
//! deleted since; what is older and missing or changed is refused by name, at the start or when
//! it is read. A log that shows more than the records have is refused too: the records are then an
//! old copy. The checkpoint that is shown, with all that it speaks of, is at a start that of the
//! last commit.
//!
//! The headers of messages stand beside the entries that name them, among the records and then in files
//! `log/headers/`, and leave one by one: when their time is over, or when one is erased. A commit that
//! says so empties places among the records; the files follow between the commits after it, one bundle
//! at a time, and whatever is cut off a start does again. What left stays noted, so a header that is
//! missing for no reason is damage.
//!
//! ```
//! use kuriiri_engine::{Commit, View, Write};
//! use kuriiri_store::{Options, Store};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! let store = Store::open(dir.path(), Options::default())?;
//! let starts = store.starts()? + 1;
//! let writes = vec![Write::PutStart(starts)];
//! store.commit(Commit { writes, ..Commit::default() }).await?;
//! store.close().await?;
//!
//! let store = Store::open(dir.path(), Options::default())?;
//! assert_eq!(store.starts()?, 1);
//! # Ok(())
//! # }
//! ```

mod batch;
mod body;
mod commit;
mod covers;
mod disk;
mod durable;
mod emptying;
mod error;
mod folder;
mod journal;
mod key;
mod log;
mod open;
mod options;
mod records;
mod renew;
mod room;
mod settle;
mod sled_log;
mod store;
mod survey;
mod tip;
mod tree;
mod value;
mod view;

pub use error::{BodyError, CommitError, OpenError, Returned};
pub use log::{LogBegun, Named, Published};
pub use options::Options;
pub use room::Room;
pub use store::Store;
