//! Minute by minute: whether both sides have the same messages, without looking at any.

use std::io;

use kuriiri_tlog::Frontier;
use kuriiri_types::Digest;

use super::{Context, Minutes, survey::MinuteRecord};
use crate::spill::{Spill, groups};

/// Compares count and Merkle root over the sorted header digests of both sides, for each minute.
pub(super) fn compare(context: &Context<'_>, records: Spill<MinuteRecord>) -> io::Result<Minutes> {
    let mut minutes = Minutes::default();
    records.sorted(|records| {
        groups(
            records,
            |record| (record.to, record.minute),
            |group| {
                let at = group.first().map_or(0, |record| record.minute.saturating_mul(60_000));
                if !context.is_within(at) {
                    return;
                }
                minutes.compared += 1;
                // Sorted by side, then by digest.
                let half = group.partition_point(|record| record.side == 0);
                let (one, two) = group.split_at(half);
                minutes.agreed += u64::from(one.len() == two.len() && root(one) == root(two));
            },
        );
    })?;
    Ok(minutes)
}

fn root(records: &[MinuteRecord]) -> Digest {
    let mut tree = Frontier::new();
    records.iter().for_each(|record| tree.push(kuriiri_seal::leaf(record.header.as_bytes())));
    tree.root()
}
