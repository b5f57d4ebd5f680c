//! Who a system is, what it signs and opens with, and whom it believes.

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

use crate::{
    error::ReceiptFault,
    profile::{Profile, log_key_file},
};

/// The system whose client this is.
pub(crate) struct System {
    pub(crate) id: SpiffeId,
    pub(crate) address: Address,
    pub(crate) signer: Signer,
    pub(crate) verifier: Verifier,
    pub(crate) receipts: ReceiptVerifier,
    /// Whose relays' receipts are taken, once the key of their log is there.
    members: BTreeSet<Ministry>,
    pub(crate) sealing_key: Option<SealingKey>,
    pub(crate) sealing_keys: HashMap<Ministry, SealingPublicKey>,
    /// The own ministry's, with which its officers read what they release.
    pub(crate) release_key: Option<Box<SealingPublicKey>>,
    pub(crate) trust_folder: PathBuf,
}

impl System {
    pub(crate) fn new(profile: Profile) -> Self {
        let party = profile.party;
        Self {
            id: party.id,
            address: profile.address,
            signer: profile.signer,
            verifier: Verifier::new(party.authorities),
            receipts: ReceiptVerifier::new(profile.log_keys),
            members: party.members,
            sealing_key: profile.sealing_key,
            sealing_keys: profile.sealing_keys,
            release_key: profile.release_key,
            trust_folder: profile.trust_folder,
        }
    }

    /// Whose relay and system this is.
    pub(crate) fn home(&self) -> &Ministry {
        self.id.ministry()
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
