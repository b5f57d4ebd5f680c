//! Growing: the log with one commit more.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use kuriiri_engine::LogAppend;
use kuriiri_merkle::leaf;
use kuriiri_types::Timestamp;

use super::{
    beside::Headed,
    edge::{Edge, Full, WIDTH},
    files::path_of,
    going::Going,
    state::Log,
};
use crate::error::CommitError;

/// What a commit makes of the log; nothing of it is written yet.
#[derive(Debug)]
pub(crate) struct Grown {
    edge: Edge,
    full: Vec<Full>,
    /// The headers beside the new entries, by their places.
    pub(crate) headed: Vec<(u64, Arc<Headed>)>,
    /// Times before which no header of a bundle leaves, where that is news.
    pub(crate) kept: Vec<(Timestamp, u64)>,
    bytes: u64,
    checkpoint: Bytes,
    news: bool,
}

impl Log {
    /// What the log will be with a commit, and without the headers that leave with it, if that fits it.
    pub(crate) fn grow(&self, append: &LogAppend, going: &Going) -> Result<Grown, CommitError> {
        let mut edge = Edge::clone(&self.edge());
        let refuse = |what: String| Err(CommitError::Inconsistent(what));
        if edge.size() != append.first {
            return refuse(format!("entry {} does not follow {}", append.first, edge.size()));
        }
        if append.entries.len() != append.leaves.len() || append.checkpoint.is_empty() {
            return refuse("the log's entries lack leaves or a checkpoint".into());
        }
        let headed = self.headed(append)?;
        edge.empty(going);
        let (mut full, mut kept) = (Vec::new(), Vec::new());
        let mut beside = headed.iter().peekable();
        for (index, (entry, hash)) in
            (append.first..).zip(append.entries.iter().zip(&append.leaves))
        {
            debug_assert_eq!(leaf(entry), *hash, "the leaf is not that of the entry");
            let beside =
                beside.next_if(|(at, _)| *at == index).map(|(_, headed)| Arc::clone(headed));
            if let Some(until) = beside.as_ref().map(|headed| headed.keep_until)
                && edge.kept_until().is_none_or(|kept| until < kept)
            {
                kept.push((until, index / WIDTH));
            }
            full.extend(edge.push(entry.clone(), *hash, beside));
        }
        if edge.size() != append.head.size || edge.frontier().nodes() != append.head.frontier {
            return refuse("the log's head is not that of its entries".into());
        }
        let (bytes, checkpoint, news) = (bytes_of(append), append.checkpoint.clone(), append.news);
        Ok(Grown { edge, full, headed, kept, bytes, checkpoint, news })
    }

    /// The headers of a commit beside their entries.
    fn headed(&self, append: &LogAppend) -> Result<Vec<(u64, Arc<Headed>)>, CommitError> {
        if !append.headers.is_sorted_by(|(before, _), (after, _)| before < after) {
            return Err(CommitError::Inconsistent(
                "headers are not in the order of entries".into(),
            ));
        }
        let headed = append.headers.iter().map(|(index, headers)| {
            let at = index.checked_sub(append.first).and_then(|at| usize::try_from(at).ok());
            let entry = at.and_then(|at| append.entries.get(at));
            let headed = Headed::new(*index, entry.and_then(self.read_named), headers)?;
            Ok((*index, Arc::new(headed)))
        });
        let headed = headed.collect::<Result<_, CommitError>>()?;
        debug_assert!(self.names_no_other(append), "headers beside an entry are missing");
        Ok(headed)
    }

    /// Whether headers stand beside every entry that names messages for the first time.
    fn names_no_other(&self, append: &LogAppend) -> bool {
        let headed: BTreeSet<u64> = append.headers.iter().map(|(index, _)| *index).collect();
        (append.first..)
            .zip(&append.entries)
            .all(|(index, entry)| headed.contains(&index) || (self.read_named)(entry).is_none())
    }

    /// Writes the files that a commit fills, before it is durable: there may be no room for them. Nobody
    /// looks for them before it is taken over, and who tries again writes them again.
    pub(crate) fn stage(&self, grown: &Grown) -> Result<(), CommitError> {
        let mut full = grown.full.iter().filter(|file| file.is_there());
        let staged = full.try_for_each(|file| self.files.stage(file));
        staged.map_err(CommitError::not_now(&self.files.waiting))
    }

    /// Takes over what a commit made durable, and what left with it.
    pub(crate) fn take_over(&self, grown: Grown, going: &Going) {
        let Grown { edge, mut full, bytes, checkpoint, news, headed: _, kept: _ } = grown;
        full.retain(Full::is_there);
        let mut state = self.locked();
        state.waiting.extend(full.iter().map(path_of));
        if news {
            state.news = edge.size();
        }
        state.edge = Arc::new(edge);
        state.bytes += bytes;
        state.checkpoint = checkpoint;
        if !going.is_empty() {
            Arc::make_mut(&mut state.gone).add(going.clone());
        }
    }
}

/// Bytes of entries and headers, of which as many stand twice until their files are durable.
fn bytes_of(append: &LogAppend) -> u64 {
    let headers = append.headers.iter().flat_map(|(_, headers)| headers);
    append.entries.iter().chain(headers).map(|bytes| bytes.len() as u64).sum()
}
