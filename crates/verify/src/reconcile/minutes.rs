//! Minute by minute: whether both sides have the same messages, without looking at any.

use std::io;

use kuriiri_types::Digest;

use super::{
    context::Context,
    records::{InMinute, MinuteRecord},
    report::Minutes,
};
use crate::{
    heads::root_of,
    spill::{Spill, groups},
};

/// Compares, for each minute of the receiver's time, what both logs sum up of it, and then their
/// entries by count and Merkle root over the sorted header digests.
pub(super) fn compare(context: &Context<'_>, records: Spill<MinuteRecord>) -> io::Result<Minutes> {
    let mut minutes = Minutes::default();
    records.sorted(|records| {
        groups(
            records,
            |record| (record.to, record.minute),
            |group| {
                let minute = group.first().map_or(0, |record| record.minute);
                if context.is_within(minute) {
                    minutes.add(group);
                }
            },
        );
    })?;
    Ok(minutes)
}

impl Minutes {
    /// One minute and direction; the records are sorted by side, then by kind, then by digest.
    fn add(&mut self, group: &[MinuteRecord]) {
        let half = group.partition_point(|record| record.side == 0);
        let (one, two) = group.split_at(half);
        let (heads_one, heads_two) = (heads(one), heads(two));
        let is_by_heads = match (heads_one.as_slice(), heads_two.as_slice()) {
            ([(count, Some(root))], [other]) => (*count, Some(*root)) == *other,
            _ => false,
        };
        self.with_heads += u64::from(!heads_one.is_empty() && !heads_two.is_empty());
        self.agreed_by_heads += u64::from(is_by_heads);
        let (one, two) = (messages(one), messages(two));
        if !one.is_empty() || !two.is_empty() {
            self.compared += 1;
            self.by_entries += u64::from(!is_by_heads);
            let are_same = one.len() == two.len() && root_of(&one) == root_of(&two);
            self.agreed += u64::from(are_same);
        }
    }
}

fn heads(records: &[MinuteRecord]) -> Vec<(u64, Option<Digest>)> {
    let heads = records.iter().filter_map(|record| match record.what {
        InMinute::Head(count, root) => Some((count, root)),
        InMinute::Message(_) => None,
    });
    heads.collect()
}

fn messages(records: &[MinuteRecord]) -> Vec<Digest> {
    let messages = records.iter().filter_map(|record| match record.what {
        InMinute::Message(header) => Some(header),
        InMinute::Head(..) => None,
    });
    messages.collect()
}
