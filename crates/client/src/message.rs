//! A message as a system receives it.

use std::sync::Arc;

use bytes::Bytes;
use kuriiri_seal::VerifiedApproval;
use kuriiri_types::{Code, Envelope, Handling, Header, MessageId, Refusal, SpiffeId};

use crate::{arrival::Arrival, error::ConfirmError, ledger::Ledger};

/// A message that is known to be genuine: its sender's system signed it for this mailbox, and the
/// body is the one that was signed.
///
/// It stays in its mailbox until it is confirmed. Dropped unconfirmed it comes again, with the next
/// link or the next inbox.
#[derive(Debug)]
pub struct Message {
    arrival: Arrival,
    ledger: Arc<Ledger>,
    is_confirmed: bool,
}

impl Message {
    pub(crate) fn new(arrival: Arrival, ledger: Arc<Ledger>) -> Self {
        Self { arrival, ledger, is_confirmed: false }
    }

    /// Its id.
    pub fn id(&self) -> MessageId {
        self.header().id
    }

    /// Everything that its sender signed about it. The size in it is that of the body as carried.
    pub fn header(&self) -> &Header {
        self.arrival.verified.header()
    }

    /// The system that signed it; its ministry is that of the sender's address.
    pub fn sender(&self) -> &SpiffeId {
        self.arrival.verified.signer()
    }

    /// What it says; opened, if it was sealed.
    pub fn body(&self) -> &Bytes {
        &self.arrival.body
    }

    /// True when nobody between the two systems could read the body.
    pub fn was_sealed(&self) -> bool {
        self.header().sealing.is_some()
    }

    /// What must be done with it: markers to be shown before and after it, whether it may be passed
    /// on, how long it may and must be kept. This system's own relay found that in its rules.
    pub fn handling(&self) -> &Handling {
        &self.arrival.handling
    }

    /// The officers' releases that came along and are genuine, signed for this very message: none if
    /// it needed none. Approvals that are not so are left out.
    pub fn approvals(&self) -> &[VerifiedApproval] {
        &self.arrival.approvals
    }

    /// The signed header with its signature, and salt and body as carried: what it takes to prove
    /// to a third party who sent it.
    pub fn evidence(&self) -> (&Envelope, &Bytes) {
        (self.arrival.verified.envelope(), self.arrival.verified.salted_body())
    }

    /// Tells the relay that the message is dealt with, and waits until the relay has made that
    /// durable: it never comes again.
    ///
    /// # Errors
    /// When the link broke off before. That needs no care: see [`ConfirmError`].
    pub async fn confirm(mut self) -> Result<(), ConfirmError> {
        self.is_confirmed = true;
        let answer = self.ledger.confirm(self.arrival.leaf());
        answer.await.unwrap_or(Err(ConfirmError::Closed))
    }

    /// As [`confirm`](Self::confirm), without waiting. Confirmations that gather while others are on
    /// their way travel together.
    pub fn confirm_later(mut self) {
        self.is_confirmed = true;
        drop(self.ledger.confirm(self.arrival.leaf()));
    }
}

impl Message {
    /// Gives the message back because this program cannot accept it, and waits until the relay has set it
    /// aside: `reason` is told to the operator there and, when sender and recipient are of one ministry, to the
    /// sender. It comes again when an operator has it given out again.
    ///
    /// For what is wrong with the message itself, such as content that is not of its declared type. What this
    /// program is not able to do at the moment is no reason: drop the message, and it comes again.
    ///
    /// Of the reason the first 256 bytes are kept; line breaks and control characters are cut out.
    ///
    /// # Errors
    /// When the link broke off before. Then the message comes again.
    pub async fn set_aside(mut self, reason: &str) -> Result<(), ConfirmError> {
        self.is_confirmed = true;
        let why = Refusal { code: Code::UNACCEPTABLE, reasons: vec![reason.to_owned()] };
        let answer = self.ledger.set_aside(self.arrival.leaf(), why);
        answer.await.unwrap_or(Err(ConfirmError::Closed))
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        if !self.is_confirmed {
            self.ledger.let_go(self.arrival.leaf());
        }
    }
}
