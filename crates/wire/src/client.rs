//! The conversation between a ministry's system and its relay, ALPN `kuriiri-client/2`.
//!
//! The system opens a bidirectional stream for each [`Request`], which is its first frame. What
//! follows depends on the request:
//!
//! | request | relay sends | system sends |
//! |---|---|---|
//! | [`Request::Submit`] | one [`Reply::Submission`] | nothing more |
//! | [`Request::Ask`] | one [`Reply::Answer`] | nothing more |
//! | [`Request::Status`] | one [`Reply::Status`] | nothing more |
//! | [`Request::Prove`] | one [`Reply::Proofs`] | nothing more |
//! | [`Request::Receive`] | [`ToReceiver`], any number | [`FromReceiver`], any number |
//! | [`Request::Receipts`] | [`ToReceiptReader`], any number | [`ConfirmReceipts`] if it consumes |
//!
//! Instead of any of these the relay may send the variant `Refused`, which is the last frame.

mod ask;
mod receipts;
mod receive;
mod request;
mod status;
mod submit;

pub use ask::{Answer, Question};
pub use receipts::{ConfirmReceipts, ReceiptBatch, ReceiptMode, ToReceiptReader};
pub use receive::{DeliveredItem, Delivery, FromReceiver, Ticket, ToReceiver};
pub use request::{Reply, Request};
pub use status::{PeerStatus, QueueStatus, StatusReport};
pub use submit::{Submission, SubmissionAnswer, Submitted};

#[cfg(test)]
pub(crate) use {
    receipts::TO_RECEIPT_READER,
    receive::{FROM_RECEIVER, TO_RECEIVER},
    request::{REPLY, REQUEST},
};
