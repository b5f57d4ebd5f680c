//! How full is what others can fill.

use kuriiri_types::{
    Code, Refusal, SpiffeId,
    limits::{CUSTODY_SHARE_BYTES, HOLDS_MAX},
};

use crate::{
    action::{Filled, Reply},
    custody::{Custody, bound_of},
    record::QueueId,
};

/// Queues and payers in one answer, the fullest.
const SHOWN_MAX: usize = 100;

impl Custody {
    /// How full holds and queues are, and who has most waiting.
    pub(crate) fn on_fill_asked(&self, person: &SpiffeId) -> Reply {
        if !self.config.is_ours(person) {
            return Reply::Refused(Refusal::bare(Code::NOT_AN_OFFICER));
        }
        let holds = Filled {
            name: "messages that wait for people or hours".into(),
            used: self.holds.len() as u64,
            limit: HOLDS_MAX as u64,
        };
        let queue = |queue: &QueueId| {
            let used = self.queues.waiting(queue);
            Some(Filled { name: format!("messages in {queue}"), used, limit: bound_of(queue)? })
        };
        let payers = self.queues.shares().all_bytes().map(|(payer, used)| Filled {
            name: format!("bytes of {payer} that wait, where the disk fills up"),
            used,
            limit: CUSTODY_SHARE_BYTES,
        });
        let mut all: Vec<_> = [holds]
            .into_iter()
            .chain(self.queues.names().filter_map(queue))
            .chain(payers)
            .filter(|filled| filled.used > 0)
            .collect();
        all.sort_by(|a, b| parts(b).cmp(&parts(a)).then_with(|| a.name.cmp(&b.name)));
        all.truncate(SHOWN_MAX);
        Reply::Fill(all)
    }
}

/// In millionths of the bound.
fn parts(filled: &Filled) -> u128 {
    u128::from(filled.used) * 1_000_000 / u128::from(filled.limit.max(1))
}
