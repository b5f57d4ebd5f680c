//! A message that came: verified and opened, or what is wrong with it.

use bytes::Bytes;
use kuriiri_seal::{VerifiedApproval, VerifiedHeader, VerifiedMessage, VerifyError};
use kuriiri_types::{Address, Digest, Handling};
use kuriiri_wire::{client::DeliveredItem, header};

use crate::{
    error::{ReceiveError, Unacceptable},
    open::{opened, releases},
    system::System,
};

/// A message that was verified and not yet taken.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) verified: VerifiedMessage,
    pub(crate) body: Bytes,
    pub(crate) handling: Handling,
    pub(crate) approvals: Vec<VerifiedApproval>,
}

impl Arrival {
    /// Opens what was delivered from a mailbox, if its header is genuine.
    pub(crate) fn read(
        system: &System,
        mailbox: &Address,
        verified: Result<VerifiedHeader, VerifyError>,
        item: DeliveredItem,
    ) -> Result<Self, ReceiveError> {
        let header = item.header;
        let read = || {
            let verified = verified.and_then(|header| header.with_body(item.body));
            let verified = verified.map_err(Unacceptable::NotGenuine)?;
            if !verified.header().to.iter().any(|r| r.address == *mailbox) {
                return Err(Unacceptable::NotForUs);
            }
            let key = || system.sealing_key.as_ref().ok_or(Unacceptable::NoSealingKey);
            let body = opened(&verified, system.home(), key)?;
            let approvals = releases(&system.verifier, &verified, item.approvals);
            Ok(Self { body, verified, handling: item.handling, approvals })
        };
        read().map_err(|source| {
            let id = header::decode(&header).ok().map(|header| header.id);
            ReceiveError::Unacceptable { id, source, receipt: None }
        })
    }

    pub(crate) fn leaf(&self) -> Digest {
        self.verified.leaf()
    }
}
