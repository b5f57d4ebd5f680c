//! A partner that behaves badly on purpose: a conformance kit for implementations of a relay.
//!
//! The kit speaks as a member of the federation that has a link with the relay under test, with that member's
//! own keys. Each [`Case`] does one bad thing and says whether the relay did what a right relay does; after
//! each an honest message must be taken, with a genuine receipt. [`cases`] has all of them; `proto/conformance.md`
//! says what each demands and why. Their numbers never change.
//!
//! It is for federations that exist for it. Messages stay in the mailbox of the relay under test, its log
//! grows, and it remembers a log of the member that the member's genuine relay does not have.
//!
//! # What this crate does not do
//!
//! It prints nothing, starts no relay, and knows nothing of how a relay is built: it judges by what it is
//! answered, and by what ends.

mod answers;
mod batches;
mod called;
mod case;
mod cases;
mod clock;
mod error;
mod floods;
mod folder;
mod frames;
mod given;
mod honest;
mod identity;
mod impostor;
mod ledger;
mod letter;
mod limits;
mod need;
mod pace;
mod partner;
mod paths;
mod raw;
mod rude;
mod run;
mod seals;
mod statements;
mod takers;
mod target;
mod theirs;
mod witnesses;

pub use case::{Case, Verdict};
pub use cases::{cases, chosen};
pub use error::ProvokeError;
pub use given::{Given, Labels};
pub use need::Need;
pub use partner::Partner;
pub use run::{Report, run};
