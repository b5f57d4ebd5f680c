//! The library for a ministry's systems: send messages through the own relay, receive those in
//! one's mailbox, and keep the receipts that prove what became of them.
//!
//! A system knows its own relay and nobody else: no peers, no routes, no retries, no certificates
//! of others. It has a [`Profile`], connects with [`Client::connect`], and from then on
//!
//! * [`Client::send`] and [`Client::send_many`] return when the own relay holds a message durably,
//!   with receipts that were verified;
//! * [`Client::receive`] gives messages that were verified and, if they were sealed, opened; each
//!   stays in the mailbox until it is confirmed;
//! * [`Client::receipts`] and [`Client::watch`] tell what became of what was sent, and a [`Course`] whose
//!   word on it counts.
//!
//! The people of a ministry have a link of their own, [`Officer`]: officers read the messages that
//! wait for them, and release or reject what they read; operators ask what is in force.
//!
//! A receipt is an entry of a relay's transparency log with the proof that it stands there, and is
//! good for ever. It says one thing about many messages of one sender, so the messages of a batch
//! share theirs; [`receipt_proof`] makes a file of it that others can check without either side.
//!
//! The link is made anew by itself. What was not answered is sent again with the same bytes, and
//! what was not confirmed comes again and is shown once.
//!
//! ```no_run
//! use kuriiri_client::{Client, Draft, Profile, ReceiveOptions};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let profile = Profile::load("profiles/kirjaamo".as_ref())?;
//! let client = Client::connect(profile).await?;
//!
//! let draft = Draft::to("kirjaamo@um.example".parse()?)
//!     .label("FI TL4".parse()?)
//!     .subject("Situation at 6 o'clock")
//!     .body("All quiet.");
//! match client.send(draft).await {
//!     Ok(accepted) => println!("{} accepted at {}", accepted.id, accepted.at),
//!     Err(error) => println!("{} {error}: {}", error.code(), error.code().advice()),
//! }
//!
//! let mut inbox = client.receive(ReceiveOptions::default());
//! while let Some(message) = inbox.next().await {
//!     let message = message?;
//!     println!("{} says {:?}", message.sender(), message.body());
//!     message.confirm().await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What this crate does NOT do
//!
//! It keeps nothing on disk: a message counts as sent when [`Client::send`] has returned, and a
//! program that ends before sends again. It decides nothing about labels; the relay does. It does
//! not speak with other ministries. Whether a body must be sealed is the own relay's word, but the
//! keys to seal with are the system's own, so that a relay cannot name one of its own.

mod accepted;
mod arrival;
mod client;
mod clock;
mod compose;
mod core;
mod course;
mod dial;
mod doubtful;
mod draft;
mod error;
mod evidence;
mod flight;
mod inbox;
mod kept;
mod lane;
mod ledger;
pub mod limits;
mod link;
mod message;
mod officer;
mod open;
mod profile;
mod proof;
mod queue;
mod receipts;
mod redial;
mod refresh;
mod row;
mod signed;
mod system;
mod tasks;
mod terms;

pub use accepted::Accepted;
pub use client::Client;
pub use course::{Course, Progress, Word};
pub use doubtful::DoubtfulReceipt;
pub use draft::Draft;
pub use error::{
    CallError, ConfirmError, ConnectError, OfficerError, ProfileError, ReceiptFault, ReceiveError,
    SendError, Unacceptable, Unproven,
};
pub use inbox::{Inbox, ReceiveOptions};
pub use kept::KeptError;
pub use kuriiri_seal::VerifiedApproval;
pub use kuriiri_tlog::VerifiedReceipt;
pub use kuriiri_wire::admin::{
    Activation, ActiveFile, ActiveFiles, Approved, AsideDeed, AsideMessage, AsidePlace, AsideQueue,
    Budget, DecisionRecords, FileVerdict, Hold, Lapse, Lapses, OfferedFile,
};
pub use kuriiri_wire::client::{PeerStatus, QueueStatus, StatusReport};
pub use message::Message;
pub use officer::{Officer, OfficerProfile, OfficerProfileBuilder, Shown, approved_by};
pub use profile::{Profile, ProfileBuilder};
pub use proof::receipt_proof;
pub use receipts::{PlacedReceipt, Receipts, Watch};
