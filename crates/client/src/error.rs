//! What can go wrong for a system, by what it wanted.
//!
//! Every error has a [`Code`], which says whose fault it is ([`Code::fault`]), whether doing the
//! same again can help ([`Code::retry`]) and what to do ([`Code::advice`]).

mod officer;

use std::{fmt::Display, io, path::PathBuf, sync::Arc};

use kuriiri_seal::{KeyError, SealError, VerifyError};
use kuriiri_tlog::{ReceiptError, VerifiedReceipt};
use kuriiri_transport::{BindError, DialError, LinkClosed, StreamError};
use kuriiri_types::{Code, MessageId, Ministry, Refusal};
use kuriiri_wire::WireError;

use crate::doubtful::DoubtfulReceipt;

pub use officer::OfficerError;

/// A profile cannot be used. It is for the person who set it up to correct; nothing was started.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}", place.display())]
pub struct ProfileError {
    place: PathBuf,
    what: String,
    code: Code,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ProfileError {
    pub(crate) fn new(place: impl Into<PathBuf>, code: Code, what: impl Display) -> Self {
        Self { place: place.into(), what: what.to_string(), code, source: None }
    }

    pub(crate) fn because(
        self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// The stable number.
    pub fn code(&self) -> Code {
        self.code
    }
}

/// No link to the relay could be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// This machine gives no socket.
    #[error("no socket can be had")]
    Bind(#[source] BindError),
    /// The relay's name means nothing here.
    #[error("the relay's address `{relay}` cannot be resolved")]
    Resolve {
        /// The address as the profile has it.
        relay: String,
        /// What the system said, unless it only knew no address.
        source: Option<io::Error>,
    },
    /// The relay does not answer, or is not who it should be.
    #[error("no link to the relay at {relay}")]
    Dial {
        /// The address as the profile has it.
        relay: String,
        /// Why.
        source: DialError,
    },
    /// The relay ended the link, be it at once because it does not accept this system, or later.
    #[error("the link to the relay has ended")]
    Ended(#[source] LinkClosed),
    /// The relay answered, and not as a relay should.
    #[error("the relay did not answer as a relay should")]
    Greeting(#[source] Box<CallError>),
}

impl ConnectError {
    /// The stable number.
    pub fn code(&self) -> Code {
        match self {
            Self::Bind(error) => error.code(),
            Self::Resolve { .. } => Code::CONFIG,
            Self::Dial { source, .. } => source.code(),
            Self::Ended(closed) => closed.code(),
            Self::Greeting(error) => error.code(),
        }
    }
}

/// The relay gave no answer to a question.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No link stands at the moment; it is being made anew.
    #[error("there is no link to the relay at the moment")]
    NotConnected(#[source] Arc<ConnectError>),
    /// The link broke off before the answer came.
    #[error("the link broke off before the relay answered")]
    Stream(#[source] StreamError),
    /// The relay has the question and does not answer.
    #[error("the relay does not answer")]
    Silent,
    /// The answer cannot be read.
    #[error("the relay's answer cannot be read")]
    Wire(#[source] WireError),
    /// The answer is one to another question, or none.
    #[error("the relay gave no answer that fits the question")]
    Misfit,
    /// The relay refused to answer.
    #[error("the relay refused: {}", reasons(.0))]
    Refused(Refusal),
    /// The draft that was asked about is not a message.
    #[error("the draft cannot be asked about")]
    Draft(#[source] Box<SendError>),
    /// The client was closed.
    #[error("the client was closed")]
    Closed,
}

impl CallError {
    /// The stable number.
    pub fn code(&self) -> Code {
        match self {
            Self::NotConnected(error) => error.code(),
            Self::Stream(error) => error.code(),
            Self::Silent => Code::UNREACHABLE,
            Self::Wire(error) => error.code(),
            Self::Misfit => Code::PROTOCOL,
            Self::Refused(refusal) => refusal.code,
            Self::Draft(error) => error.code(),
            Self::Closed => Code::CLOSED,
        }
    }
}

/// A message was not accepted. Unless it says otherwise, nobody has it.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The relay refuses it, for all these reasons.
    #[error("the relay refused the message: {}", reasons(.refusal))]
    Refused {
        /// The reasons.
        refusal: Refusal,
        /// The relay's own word for it from its log, verified here: as a rule one receipt, which
        /// speaks of all its recipients and may speak of other messages too. Evidence that is worth
        /// keeping, as anybody can check it later without either side. None when the relay refused
        /// before it had read the message, or gave nothing that proves it: the message is refused
        /// all the same.
        receipts: Vec<Arc<VerifiedReceipt>>,
    },
    /// The draft is not a message: something in it is missing, malformed or too long.
    #[error("the draft is not a message")]
    Malformed(#[source] WireError),
    /// The body is larger than may go. A sealed body is larger than what was sealed.
    #[error("the body has {bytes} bytes{}, and {max} are the most that may go{}", as_carried(*bytes, *carried), before_sealing(*bytes, *carried, *max))]
    TooBig {
        /// Bytes of the body.
        bytes: u64,
        /// Bytes of it as it would go: more, if it must be sealed.
        carried: u64,
        /// The most that may go.
        max: u64,
    },
    /// The body must be sealed, and there is no sealing key of a recipient's ministry.
    #[error("the label asks for sealing, and the sealing key of {ministry} is missing: {}", file.display())]
    NoSealingKey {
        /// Whose key.
        ministry: Ministry,
        /// The file that should hold it.
        file: PathBuf,
    },
    /// The body must be sealed, officers must read it before it goes, and their key is missing.
    #[error("officers must release it, and the key with which they read it is missing: {}", file.display())]
    NoReleaseKey {
        /// The file that should hold it.
        file: PathBuf,
    },
    /// The body could not be sealed.
    #[error("the body could not be sealed")]
    Seal(#[source] SealError),
    /// No salt could be had for the body.
    #[error("the body could not be salted")]
    Salt(#[source] KeyError),
    /// The relay says that it accepted the message, and its receipts do not prove it. It may have
    /// the message nevertheless.
    #[error("the relay accepted message {id} and did not prove it")]
    Unproven {
        /// The message.
        id: MessageId,
        /// What is wrong with its receipts.
        source: Unproven,
    },
    /// No answer came in the time that the caller gave. It is not known whether the relay has the message.
    #[error("there was no answer in time, and it is not known whether the relay has the message")]
    TimedOut,
    /// The client was closed. It is not known whether the relay has a message that was under way.
    #[error("the client was closed")]
    Closed,
    /// A fault of this library.
    #[error("a fault in the client: {0}")]
    Internal(&'static str),
}

impl SendError {
    /// The stable number.
    pub fn code(&self) -> Code {
        match self {
            Self::Refused { refusal, .. } => refusal.code,
            Self::Malformed(error) => error.code(),
            Self::TooBig { .. } => Code::TOO_BIG,
            Self::NoSealingKey { .. } | Self::NoReleaseKey { .. } => Code::KEY_FILE,
            Self::Seal(error) => error.code(),
            Self::Salt(error) => error.code(),
            Self::Unproven { source, .. } => source.code(),
            Self::TimedOut => Code::UNREACHABLE,
            Self::Closed => Code::CLOSED,
            Self::Internal(_) => Code::INTERNAL,
        }
    }

    /// All reasons in words: the relay's, or this library's with its causes. None when the relay gave none
    /// but the number.
    pub fn reasons(&self) -> Vec<String> {
        match self {
            Self::Refused { refusal, .. } => refusal.reasons.clone(),
            Self::Malformed(_)
            | Self::TooBig { .. }
            | Self::NoSealingKey { .. }
            | Self::NoReleaseKey { .. }
            | Self::Seal(_)
            | Self::Salt(_)
            | Self::Unproven { .. }
            | Self::TimedOut
            | Self::Closed
            | Self::Internal(_) => vec![with_causes(self)],
        }
    }

    /// The receipts by which the relay stands to its refusal, if it gave some.
    pub fn receipts(&self) -> &[Arc<VerifiedReceipt>] {
        match self {
            Self::Refused { receipts, .. } => receipts,
            Self::Malformed(_)
            | Self::TooBig { .. }
            | Self::NoSealingKey { .. }
            | Self::NoReleaseKey { .. }
            | Self::Seal(_)
            | Self::Salt(_)
            | Self::Unproven { .. }
            | Self::TimedOut
            | Self::Closed
            | Self::Internal(_) => &[],
        }
    }

    /// A refusal for which there is no receipt.
    pub(crate) fn refused(refusal: Refusal) -> Self {
        Self::Refused { refusal, receipts: Vec::new() }
    }
}

/// What is wrong with the receipts of an accepted message.
#[derive(Debug, thiserror::Error)]
pub enum Unproven {
    /// None speaks of this message for one of its recipients.
    #[error("there is no receipt for every recipient")]
    Missing,
    /// None speaks of this message for one of its recipients, and one that came with the answer is
    /// not genuine.
    #[error("a receipt is not genuine")]
    NotGenuine(#[source] ReceiptFault),
    /// One that speaks of this message is genuine, and not this system's relay's word that it
    /// accepted it for one of its recipients.
    #[error("a receipt of {0} says something else than that this message was accepted")]
    Other(Ministry),
}

impl Unproven {
    /// The stable number.
    pub fn code(&self) -> Code {
        match self {
            Self::Missing | Self::Other(_) => Code::PROTOCOL,
            Self::NotGenuine(error) => error.code(),
        }
    }
}

/// Why a receipt is not taken for genuine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptFault {
    /// The key of its issuer's log is missing, so nobody here can tell.
    #[error("the key of the log of {ministry} is missing: {}", file.display())]
    NoLogKey {
        /// Whose log.
        ministry: Ministry,
        /// The file that should hold it.
        file: PathBuf,
    },
    /// It does not stand in the log of the ministry that it speaks for.
    #[error(transparent)]
    Refuted(ReceiptError),
}

impl ReceiptFault {
    /// The stable number.
    pub fn code(&self) -> Code {
        match self {
            Self::NoLogKey { .. } => Code::KEY_FILE,
            Self::Refuted(error) => error.code(),
        }
    }
}

/// Something is wrong with what was received.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The relay refuses this subscription; nothing more comes.
    #[error("the relay refused: {}", reasons(.0))]
    Refused(Refusal),
    /// A message or a receipt is not what it should be. A message like this has been given back to the relay:
    /// it sets the message aside with this reason, tells its sender, and people there have it given out again
    /// or refuse it.
    #[error("what came{} cannot be accepted", named(.id))]
    Unacceptable {
        /// The id that it claims, if one can be read; of a receipt, that of the first message.
        id: Option<MessageId>,
        /// What is wrong with it.
        source: Unacceptable,
        /// The receipt, if it is one. It stays with the relay until it, or one after it, is confirmed: it may be
        /// acceptable once the key of its log is here. Whoever has kept it, or does not want it, confirms it with
        /// [`Receipts::confirm_doubtful`](crate::Receipts::confirm_doubtful); the relay gives out 1,024 at once.
        receipt: Option<Box<DoubtfulReceipt>>,
    },
    /// The client was closed.
    #[error("the client was closed")]
    Closed,
}

impl ReceiveError {
    /// The stable number.
    pub fn code(&self) -> Code {
        match self {
            Self::Refused(refusal) => refusal.code,
            Self::Unacceptable { source, .. } => source.code(),
            Self::Closed => Code::CLOSED,
        }
    }

    /// What the relay hears about a message that cannot be shown.
    pub(crate) fn as_refusal(&self) -> Refusal {
        // Whose message it is the relay knows.
        let cause = std::error::Error::source(self).unwrap_or(self);
        Refusal { code: self.code(), reasons: vec![with_causes(cause)] }
    }
}

/// Why a message or a receipt is not shown.
#[derive(Debug, thiserror::Error)]
pub enum Unacceptable {
    /// A message's signature, its signer or its body is not what it should be.
    #[error("it is not genuine")]
    NotGenuine(#[source] VerifyError),
    /// A receipt is not known to stand in its issuer's log.
    #[error("it is not genuine")]
    ReceiptNotGenuine(#[source] ReceiptFault),
    /// It is genuine, and for somebody else.
    #[error("it is for somebody else")]
    NotForUs,
    /// It says that messages were delivered, or accepted of their sender, and that is only for the
    /// relay of each recipient's or the sender's ministry to say.
    #[error("{0} says of a message what is only for another relay to say")]
    NotItsToSay(Ministry),
    /// It is another message than the one that was asked for.
    #[error("it is another message than was asked for")]
    Another,
    /// The relay says of it what the signed message does not.
    #[error("the relay tells of another {0} than the message itself")]
    Differs(&'static str),
    /// It has no label, so nobody can approve that it goes.
    #[error("it has no label")]
    NoLabel,
    /// It is sealed, and the profile has no sealing key.
    #[error("it is sealed, and the profile has no `sealing-key`")]
    NoSealingKey,
    /// It is sealed, and the officer's profile has no release key.
    #[error("it is sealed, and the profile has no `release-key`")]
    NoReleaseKey,
    /// It is sealed and does not open.
    #[error("it does not open")]
    Sealed(#[source] SealError),
}

impl Unacceptable {
    /// What is wrong, with its causes, in a line.
    pub fn reason(&self) -> String {
        with_causes(self)
    }

    /// The stable number.
    pub fn code(&self) -> Code {
        match self {
            Self::NotGenuine(error) => error.code(),
            Self::ReceiptNotGenuine(fault) => fault.code(),
            Self::NotForUs => Code::NOT_YOURS,
            Self::NotItsToSay(_) => Code::SIGNATURE,
            Self::Another | Self::Differs(_) => Code::PROTOCOL,
            Self::NoLabel => Code::MALFORMED,
            Self::NoSealingKey | Self::NoReleaseKey => Code::KEY_FILE,
            Self::Sealed(error) => error.code(),
        }
    }
}

/// It is not known whether a confirmation arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConfirmError {
    /// The link broke off. Nothing is to be done: if the confirmation was lost, the message comes
    /// again, and is confirmed without being shown.
    #[error("the link broke off before the relay had confirmed")]
    Interrupted,
    /// The inbox is gone. If the confirmation was lost, the message comes again to whoever receives
    /// next.
    #[error("the inbox was dropped or closed")]
    Closed,
}

impl ConfirmError {
    /// The stable number.
    pub fn code(&self) -> Code {
        match self {
            Self::Interrupted => Code::UNREACHABLE,
            Self::Closed => Code::CLOSED,
        }
    }
}

/// An error and what caused it, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}

fn as_carried(bytes: u64, carried: u64) -> String {
    if carried == bytes { String::new() } else { format!(", {carried} when it is sealed") }
}

/// The most that can be sealed, for what sealing adds does not depend on how much is sealed.
fn before_sealing(bytes: u64, carried: u64, max: u64) -> String {
    match max.checked_sub(carried.saturating_sub(bytes)) {
        Some(most) if carried != bytes => format!(": {most} before it is sealed"),
        Some(_) | None => String::new(),
    }
}

/// A refusal in one line: its reasons, or what its code means.
fn reasons(refusal: &Refusal) -> String {
    match refusal.reasons.as_slice() {
        [] => format!("{} {}", refusal.code, refusal.code.title()),
        reasons => format!("{} {}", refusal.code, reasons.join("; ")),
    }
}

fn named(id: &Option<MessageId>) -> String {
    id.map(|id| format!(" as {id}")).unwrap_or_default()
}
