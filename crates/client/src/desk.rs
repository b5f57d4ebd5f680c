//! What all parts of a client share.

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use kuriiri_seal::{SealingKey, SealingPublicKey, Signer, Verifier};
use kuriiri_tlog::{ReceiptError, ReceiptVerifier, VerifiedReceipt, ministry_of};
use kuriiri_types::{Address, Ministry, SignedReceipt, SpiffeId};
use kuriiri_wire::receipt;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
};

use crate::{
    draft::Draft,
    error::ReceiptFault,
    link::Standing,
    profile::log_key_file,
    queue::Queues,
    terms::{KnownTerms, TermsKey},
};

/// Shared by every task and handle of a client.
pub(crate) struct Desk {
    pub(crate) system: SpiffeId,
    pub(crate) address: Address,
    pub(crate) signer: Signer,
    pub(crate) verifier: Verifier,
    pub(crate) receipts: ReceiptVerifier,
    /// Whose relays' receipts are taken, once the key of their log is there.
    pub(crate) members: BTreeSet<Ministry>,
    pub(crate) sealing_key: Option<SealingKey>,
    pub(crate) sealing_keys: HashMap<Ministry, SealingPublicKey>,
    /// The own ministry's, with which its officers read what they release.
    pub(crate) release_key: Option<Box<SealingPublicKey>>,
    pub(crate) trust_folder: PathBuf,
    pub(crate) standing: Arc<watch::Sender<Standing>>,
    pub(crate) terms: KnownTerms,
    pub(crate) queues: Queues,
    /// Confirmations under way each hold one place, so that whoever closes can wait for them.
    pub(crate) confirmations: Arc<Semaphore>,
    pub(crate) runtime: Handle,
}

impl Desk {
    /// Whose relay and system this is.
    pub(crate) fn home(&self) -> &Ministry {
        self.system.ministry()
    }

    /// What the terms for a draft depend on.
    pub(crate) fn terms_key(&self, draft: &Draft) -> TermsKey {
        let from = draft.from.clone().unwrap_or_else(|| self.address.clone());
        TermsKey::of_draft(draft, from)
    }

    /// The receipt, if it stands in the log of the ministry that it speaks for. It is shared by all
    /// messages that it speaks of, and lives on without the frame that it came in.
    pub(crate) fn receipt(
        &self,
        signed: SignedReceipt,
    ) -> Result<Arc<VerifiedReceipt>, ReceiptFault> {
        let signed = SignedReceipt {
            entry: Bytes::copy_from_slice(&signed.entry),
            checkpoint: Bytes::copy_from_slice(&signed.checkpoint),
            ..signed
        };
        let decode = |entry: &Bytes| receipt::decode(entry);
        let verified = self.receipts.receipt(signed, decode);
        verified.map(Arc::new).map_err(|error| self.fault(error))
    }

    fn fault(&self, error: ReceiptError) -> ReceiptFault {
        if let ReceiptError::UnknownLog(origin) = &error
            && let Some(ministry) = ministry_of(origin)
            && self.members.contains(&ministry)
        {
            let file = self.trust_folder.join(log_key_file(&ministry));
            return ReceiptFault::NoLogKey { ministry, file };
        }
        ReceiptFault::Refuted(error)
    }
}
