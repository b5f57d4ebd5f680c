//! A message that is still to be sent.

use bytes::Bytes;
use kuriiri_types::{
    Address, MessageId, MessageType, Ministry, Precedence, Recipient, Role, Timestamp, WireLabel,
};

/// The content type of a draft that names none.
const OCTETS: &str = "application/octet-stream";

/// A message that is still to be sent: whom to, under which label, and what it says.
///
/// Id and time are given when it is sent. Without a label the relay refuses it.
///
/// ```
/// use kuriiri_client::Draft;
/// use kuriiri_types::Precedence;
///
/// let draft = Draft::to("kirjaamo@um.example".parse()?)
///     .info("tilannekuva@plm.example".parse()?)
///     .label("FI TL4".parse()?)
///     .precedence(Precedence::Immediate)
///     .subject("Situation at 6 o'clock")
///     .content_type("text/plain; charset=utf-8")
///     .body("All quiet.");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub(crate) from: Option<Address>,
    pub(crate) to: Vec<Recipient>,
    pub(crate) label: Option<WireLabel>,
    pub(crate) precedence: Precedence,
    pub(crate) message_type: MessageType,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) content_type: String,
    pub(crate) subject: String,
    pub(crate) conversation: Option<MessageId>,
    pub(crate) in_reply_to: Option<MessageId>,
    pub(crate) obsoletes: Option<MessageId>,
    pub(crate) drafter: Option<String>,
    pub(crate) body: Bytes,
}

impl Draft {
    /// A draft for a recipient who must act: routine, real, with no body yet.
    pub fn to(recipient: Address) -> Self {
        Self {
            from: None,
            to: vec![Recipient { address: recipient, role: Role::Action }],
            label: None,
            precedence: Precedence::default(),
            message_type: MessageType::default(),
            expires: None,
            content_type: OCTETS.into(),
            subject: String::new(),
            conversation: None,
            in_reply_to: None,
            obsoletes: None,
            drafter: None,
            body: Bytes::new(),
        }
    }

    /// Another recipient who must act.
    pub fn action(self, recipient: Address) -> Self {
        self.recipient(Recipient { address: recipient, role: Role::Action })
    }

    /// A recipient who should know.
    pub fn info(self, recipient: Address) -> Self {
        self.recipient(Recipient { address: recipient, role: Role::Info })
    }

    /// Sent from another mailbox of this system than the profile's.
    pub fn from(self, address: Address) -> Self {
        Self { from: Some(address), ..self }
    }

    /// Who may have it.
    pub fn label(self, label: WireLabel) -> Self {
        Self { label: Some(label), ..self }
    }

    /// How urgent it is.
    pub fn precedence(self, precedence: Precedence) -> Self {
        Self { precedence, ..self }
    }

    /// Whether it is about something real.
    pub fn message_type(self, message_type: MessageType) -> Self {
        Self { message_type, ..self }
    }

    /// Not to be delivered after this.
    pub fn expires(self, at: Timestamp) -> Self {
        Self { expires: Some(at), ..self }
    }

    /// The media type of the body (RFC 6838), as long as a header allows.
    pub fn content_type(self, content_type: &str) -> Self {
        Self { content_type: content_type.into(), ..self }
    }

    /// What a person would call it. Never secret: relays see it, also of a sealed message.
    pub fn subject(self, subject: &str) -> Self {
        Self { subject: subject.into(), ..self }
    }

    /// The exchange that it belongs to.
    pub fn conversation(self, first: MessageId) -> Self {
        Self { conversation: Some(first), ..self }
    }

    /// The message that it answers.
    pub fn in_reply_to(self, message: MessageId) -> Self {
        Self { in_reply_to: Some(message), ..self }
    }

    /// The message of the same sender that it replaces.
    pub fn obsoletes(self, message: MessageId) -> Self {
        Self { obsoletes: Some(message), ..self }
    }

    /// The person who wrote it, by the name that an officer's identity would have (`anna` in
    /// `spiffe://sm.example/officer/anna`). This person does not count as one who releases it.
    pub fn drafter(self, name: &str) -> Self {
        Self { drafter: Some(name.into()), ..self }
    }

    /// What it says. The library seals it if the label asks for it.
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }

    fn recipient(mut self, recipient: Recipient) -> Self {
        self.to.push(recipient);
        self
    }

    /// The recipients' ministries, sorted, each once.
    pub(crate) fn destinations(&self) -> Vec<Ministry> {
        let mut ministries: Vec<_> = self.to.iter().map(|r| r.address.ministry().clone()).collect();
        ministries.sort_unstable();
        ministries.dedup();
        ministries
    }
}
