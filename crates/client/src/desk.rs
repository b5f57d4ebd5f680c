//! What all parts of a client share.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use kuriiri_seal::{SealingKey, SealingPublicKey, Signer, Verifier};
use kuriiri_types::{Address, Ministry, SpiffeId};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
};

use crate::{
    draft::Draft,
    handling::{Case, Handling},
    link::Standing,
    queue::Queues,
};

/// Shared by every task and handle of a client.
pub(crate) struct Desk {
    pub(crate) system: SpiffeId,
    pub(crate) address: Address,
    pub(crate) signer: Signer,
    pub(crate) verifier: Verifier,
    pub(crate) sealing_key: Option<SealingKey>,
    pub(crate) sealing_keys: HashMap<Ministry, SealingPublicKey>,
    /// The own ministry's, with which its officers read what they release.
    pub(crate) release_key: Option<Box<SealingPublicKey>>,
    pub(crate) trust_folder: PathBuf,
    pub(crate) standing: Arc<watch::Sender<Standing>>,
    pub(crate) handling: Handling,
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

    /// What the handling of a draft depends on.
    pub(crate) fn case(&self, draft: &Draft) -> Case {
        let from = draft.from.clone().unwrap_or_else(|| self.address.clone());
        Case::of_draft(draft, from)
    }
}
