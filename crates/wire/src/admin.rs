//! The conversation between the program of an officer or operator and the ministry's relay, ALPN
//! `kuriiri-admin/2`.
//!
//! The program opens a bidirectional stream for each [`AdminRequest`], its only frame on it, and
//! reads one [`AdminReply`]. Instead of the answer the relay may send [`AdminReply::Refused`].
//!
//! Who may ask what follows from the certificate of the connection alone, and an approval counts by
//! its own signature, whoever brings it.

mod aside;
mod budgets;
mod decisions;
mod files;
mod holds;
mod lapses;
mod request;

pub use aside::{AsideDeed, AsideMessage, AsideMessages, AsidePlace, AsideQueue};
pub use budgets::Budget;
pub use decisions::DecisionRecords;
pub use files::{Activation, ActiveFile, ActiveFiles, FileVerdict, OfferedFile};
pub use holds::{Approve, Approved, HeldMessage, Hold, Holds};
pub use lapses::{Lapse, Lapses};
pub use request::{AdminReply, AdminRequest};

#[cfg(test)]
pub(crate) use request::{REPLY, REQUEST};
