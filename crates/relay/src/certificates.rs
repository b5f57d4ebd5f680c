//! Certificates of signers: envelopes name them, batches carry them, the store keeps them.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use kuriiri_engine::Certificate;
use kuriiri_store::Store;
use kuriiri_types::Fingerprint;

/// Certificates kept in memory, at most 4 KiB each; the others are read from the store.
const CERTIFICATES_IN_MEMORY_MAX: usize = 4096;

/// All certificates that this relay can give along with what they signed.
#[derive(Debug)]
pub(crate) struct Certificates {
    store: Arc<Store>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    certificates: HashMap<Fingerprint, Bytes>,
    order: VecDeque<Fingerprint>,
}

impl Certificates {
    /// Those of the store, with nothing in memory.
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store, known: Mutex::default() }
    }

    /// Notes certificates that came along and were found good.
    pub(crate) fn note(&self, certificates: &[Certificate]) {
        let mut known = self.locked();
        certificates.iter().for_each(|certificate| known.add(certificate));
    }

    /// The certificates of these signers, each once. One that is nowhere is left out: the receiver will
    /// say so.
    pub(crate) fn of(&self, signers: impl IntoIterator<Item = Fingerprint>) -> Vec<Bytes> {
        let mut named: Vec<Fingerprint> = signers.into_iter().collect();
        named.sort_unstable();
        named.dedup();
        named.iter().filter_map(|signer| self.find(signer)).collect()
    }

    fn find(&self, signer: &Fingerprint) -> Option<Bytes> {
        if let Some(der) = self.locked().certificates.get(signer) {
            return Some(der.clone());
        }
        let der = self.store.certificate(signer).ok().flatten()?;
        self.locked().add(&Certificate { fingerprint: *signer, der: der.clone() });
        Some(der)
    }

    fn locked(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn add(&mut self, certificate: &Certificate) {
        let Certificate { fingerprint, der } = certificate;
        // A copy: a slice would hold the whole frame that it came in.
        if self.certificates.insert(*fingerprint, Bytes::copy_from_slice(der)).is_some() {
            return;
        }
        self.order.push_back(*fingerprint);
        if self.order.len() > CERTIFICATES_IN_MEMORY_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.certificates.remove(&oldest);
        }
    }
}
