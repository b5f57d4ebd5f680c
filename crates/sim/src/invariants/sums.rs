//! What must always hold of the sums of channels. Each check is called as its invariant is.

use kuriiri_merkle::{Frontier, leaf};
use kuriiri_types::{Digest, LogEvent, Ministry};

use crate::{
    committed_log::CommittedLog,
    failure::{Check, hold},
};

/// A sum is that of all messages of its minute that passed since the last one, and names the end of its
/// chain.
pub(crate) fn sums_add_up(home: &Ministry, log: &CommittedLog, event: &LogEvent) -> Check {
    let LogEvent::ChannelHeads(heads) = event else { return Ok(()) };
    for head in heads {
        let mut headers = log.passed.of(head);
        headers.sort_unstable();
        let mut tree = Frontier::new();
        headers.iter().for_each(|header| tree.push(leaf(header.as_bytes())));
        let end = log.ends.get(&(head.peer.clone(), head.direction)).copied();
        let end = end.unwrap_or((0, Digest([0; 32])));
        let same = (head.count, head.root, (head.next, head.last))
            == (headers.len() as u64, Some(tree.root()), end);
        hold("sums_add_up", same, || {
            format!("{home}: {head:?}, of {} messages, and the chain ends {end:?}", headers.len())
        })?;
    }
    Ok(())
}
