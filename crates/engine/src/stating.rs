//! What is stated about messages, and who is told.

use kuriiri_types::{Address, Code, Giver, ReceiptKind, Refusal, Subject};

use crate::{
    event::Token,
    message::Message,
    seen::Said,
    statements::{Happened, StatementId, Way},
    step::Work,
    view::ViewError,
};

/// Why a message will not be delivered.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) kind: ReceiptKind,
    pub(crate) refusal: Refusal,
}

impl Failure {
    pub(crate) fn refused(refusal: Refusal) -> Self {
        Self { kind: ReceiptKind::Refused, refusal }
    }

    pub(crate) fn expired() -> Self {
        Self { kind: ReceiptKind::Expired, refusal: Refusal::bare(Code::EXPIRED) }
    }
}

/// A message that something is stated about, and who sent it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent<'a> {
    pub(crate) sender: &'a Address,
    pub(crate) subject: Subject,
}

impl<'a> From<&'a Message> for Sent<'a> {
    fn from(message: &'a Message) -> Self {
        Self { sender: &message.header().from, subject: message.subject() }
    }
}

impl Work<'_> {
    /// States that a system has confirmed a message; the receipt goes to its sender.
    pub(crate) fn tell_delivered(&mut self, sent: Sent<'_>, recipient: &Address, by: Giver) {
        let happened = Happened::well(ReceiptKind::Delivered, by);
        self.statements.add(sent.sender, sent.subject, [recipient], (happened, Way::Onward));
    }

    /// States that a message was taken into custody, for each of the recipients; the receipt goes
    /// straight back to whoever handed it over.
    pub(crate) fn answer_taken<'a>(
        &mut self,
        sent: Sent<'_>,
        recipients: impl IntoIterator<Item = &'a Address>,
        (token, by): (Token, &Giver),
    ) -> StatementId {
        let kind = match by {
            Giver::System(_) => ReceiptKind::Accepted,
            Giver::Peer(_) => ReceiptKind::Relayed,
        };
        let happened = (Happened::well(kind, by.clone()), Way::Back(token));
        self.statements.add(sent.sender, sent.subject, recipients, happened)
    }

    /// States that a message was not taken; the receipt goes straight back to whoever handed it over.
    /// Another ministry hears no reasons.
    pub(crate) fn answer_refused<'a>(
        &mut self,
        sent: Sent<'_>,
        recipients: impl IntoIterator<Item = &'a Address>,
        (token, by): (Token, &Giver),
        refusal: &Refusal,
    ) -> StatementId {
        let why = Failure::refused(refusal.clone());
        let happened = Happened { by: Some(by.clone()), ..self.negative(sent, &why) };
        self.statements.add(sent.sender, sent.subject, recipients, (happened, Way::Back(token)))
    }

    /// Gives a statement of before once more to whoever hands a message over again.
    pub(crate) fn answer_again(&mut self, said: Said, token: Token) -> Result<bool, ViewError> {
        match said {
            Said::Pending(statement) => self.statements.give(statement, Way::Back(token)),
            Said::Entry(entry) => {
                // It may stand in a log that is lost.
                let Some(index) = self.log.index_of(entry) else { return Ok(false) };
                let answered = self.answered.entry(token).or_default();
                if answered.iter().all(|known| known.index != index) {
                    answered.push(self.log.receipt(index, self.reader.view)?);
                }
            }
        }
        Ok(true)
    }

    /// States that a message will not be delivered; the receipt goes to its sender, the reasons only
    /// to one at home.
    pub(crate) fn tell_negative<'a>(
        &mut self,
        sent: Sent<'_>,
        recipients: impl IntoIterator<Item = &'a Address>,
        why: &Failure,
    ) {
        let happened = (self.negative(sent, why), Way::Onward);
        self.statements.add(sent.sender, sent.subject, recipients, happened);
    }

    /// States that a message waits apart, and why; the receipt goes to its sender, the reasons only to one at
    /// home. `by` is the system that could not accept it, if it was one.
    pub(crate) fn tell_aside<'a>(
        &mut self,
        sent: Sent<'_>,
        recipients: impl IntoIterator<Item = &'a Address>,
        why: &Refusal,
        by: Option<Giver>,
    ) {
        let why = Failure { kind: ReceiptKind::SetAside, refusal: why.clone() };
        let happened = Happened { by, ..self.negative(sent, &why) };
        self.statements.add(sent.sender, sent.subject, recipients, (happened, Way::Onward));
    }

    /// States that this copy will not be delivered, for each of its recipients.
    pub(crate) fn tell_failure(&mut self, message: &Message, why: &Failure) {
        self.tell_negative(Sent::from(message), message.recipients(), why);
    }

    fn negative(&self, sent: Sent<'_>, why: &Failure) -> Happened {
        let is_home = sent.sender.ministry() == &self.home;
        let reasons = if is_home { why.refusal.reasons.clone() } else { Vec::new() };
        Happened { kind: why.kind, by: None, code: Some(why.refusal.code), reasons }
    }
}
