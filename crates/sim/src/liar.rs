//! Encodings that lie, for canaries: what an engine reads back of officers is not what they signed.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use kuriiri_engine::Codec;
use kuriiri_seal::leaf;
use kuriiri_types::{Approval, Digest, Header, Receipt, SpiffeId};

use crate::{cast::WireCodec, sabotage::Sabotage};

/// Reads signed bytes, and gives out something else.
pub(crate) struct Liar {
    plan: Sabotage,
    /// Approvals read so far.
    read: AtomicU64,
    /// The leaf of the header that was read last.
    last: Mutex<Option<Digest>>,
}

impl Liar {
    pub(crate) fn new(plan: Sabotage) -> Self {
        Self { plan, read: AtomicU64::new(0), last: Mutex::new(None) }
    }

    /// The same officer under a name that nobody had before.
    fn split(&self, approval: Approval) -> Option<Approval> {
        let number = self.read.fetch_add(1, Ordering::Relaxed);
        let known = approval.officer;
        let name = format!("{}-{number}", known.name());
        let officer = SpiffeId::new(known.ministry().clone(), known.role(), &name).ok()?;
        Some(Approval { officer, ..approval })
    }
}

impl Codec for Liar {
    fn header(&self, bytes: &Bytes) -> Option<Header> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(leaf(bytes));
        let header = WireCodec.header(bytes)?;
        let forgets = self.plan == Sabotage::ForgetsDrafters;
        Some(if forgets { Header { drafter: None, ..header } } else { header })
    }

    fn approval(&self, bytes: &Bytes) -> Option<Approval> {
        let approval = WireCodec.approval(bytes)?;
        if self.plan == Sabotage::CountsTwice {
            return self.split(approval);
        }
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = last.filter(|_| self.plan == Sabotage::MixesUpWords);
        Some(Approval { subject: fits.unwrap_or(approval.subject), ..approval })
    }

    fn encode_receipt(&self, receipt: &Receipt) -> Bytes {
        WireCodec.encode_receipt(receipt)
    }
}
