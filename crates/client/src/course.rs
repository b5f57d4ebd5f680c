//! What becomes of one message, by the word of those who may say.

use std::collections::{BTreeMap, BTreeSet};

use kuriiri_types::{Address, Addressed, Digest, Giver, MessageId, Ministry, Receipt, ReceiptKind};

/// What became of an accepted message so far, for each of its recipients.
///
/// A receipt is signed by its issuer and by nobody else, and any member can issue one. So what it says counts
/// only for the very header that was accepted, for its sender and one of its recipients, and its end is for
/// few to say: the own relay, the relay of the recipient's ministry, and a relay on the way. One is on the way
/// if the own relay has named it, or if it says that it got the message from the own relay: that one hands
/// on no such word of a relay that is neither the recipient's nor a hub (KRI-2120). Whatever another says of it
/// is hearsay, and changes nothing.
#[derive(Debug, Clone)]
pub struct Course {
    message: MessageId,
    header: Digest,
    from: Address,
    recipients: BTreeMap<Address, Progress>,
    /// Other ministries that had it, by the own relay's receipts or by their own about what it gave them.
    on_the_way: BTreeSet<Ministry>,
}

/// How far a message came for a recipient; later is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// The own relay has it.
    Accepted,
    /// Another relay has it.
    Relayed,
    /// It waits apart at a relay that has it, for people there: it goes on, or is refused.
    SetAside,
    /// It is over: delivered, refused or expired.
    Ended(ReceiptKind),
}

/// What a receipt is worth for a message and a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// It is about another message, for somebody else, or not its issuer's to say at all.
    Foreign,
    /// It is about this one, by a relay that is not known to have anything to do with it. It changes nothing.
    Hearsay,
    /// It counts, and says what was known or less than that.
    Known,
    /// It counts and is news.
    News,
}

impl Course {
    pub(crate) fn new(
        (message, header): (MessageId, Digest),
        from: Address,
        recipients: impl IntoIterator<Item = Address>,
    ) -> Self {
        let recipients = recipients.into_iter().map(|to| (to, Progress::Accepted)).collect();
        Self { message, header, from, recipients, on_the_way: BTreeSet::new() }
    }

    /// Hears what a receipt says in one of its subjects.
    pub fn hear(&mut self, receipt: &Receipt, told: &Addressed) -> Word {
        let Some(known) = self.recipients.get_mut(&told.recipient) else { return Word::Foreign };
        let subject = (told.subject.message, told.subject.header);
        let is_this = subject == (self.message, self.header) && receipt.sender == self.from;
        if !is_this || !receipt.is_its_issuers_to_say() {
            return Word::Foreign;
        }
        let home = self.from.ministry();
        if receipt.issuer == *home
            && let Some(Giver::Peer(peer)) = &receipt.by
        {
            self.on_the_way.insert(peer.clone());
        }
        if receipt.kind == ReceiptKind::Relayed && receipt.by == Some(Giver::Peer(home.clone())) {
            self.on_the_way.insert(receipt.issuer.clone());
        }
        let is_near = receipt.issuer == *home || receipt.issuer == *told.recipient.ministry();
        let is_named = self.on_the_way.contains(&receipt.issuer);
        let (now, counts) = match receipt.kind {
            ReceiptKind::Accepted => (Progress::Accepted, is_near),
            ReceiptKind::Relayed => (Progress::Relayed, is_near || is_named),
            ReceiptKind::SetAside => (Progress::SetAside, is_near || is_named),
            end @ (ReceiptKind::Delivered | ReceiptKind::Refused | ReceiptKind::Expired) => {
                (Progress::Ended(end), is_near || is_named)
            }
        };
        match (counts, *known) {
            (false, _) => Word::Hearsay,
            // The first end stands.
            (true, Progress::Ended(_)) => Word::Known,
            (true, known) if now <= known => Word::Known,
            (true, _) => {
                *known = now;
                Word::News
            }
        }
    }

    /// The recipients, with how far the message came for each.
    pub fn progress(&self) -> impl Iterator<Item = (&Address, Progress)> {
        self.recipients.iter().map(|(recipient, progress)| (recipient, *progress))
    }
}

impl Progress {
    /// Whether it came as far as this receipt says, or came to another end.
    pub fn is_past(self, kind: ReceiptKind) -> bool {
        match (self, kind) {
            (Self::Ended(_), _) | (_, ReceiptKind::Accepted) => true,
            (Self::Relayed | Self::SetAside, kind) => kind == ReceiptKind::Relayed,
            (Self::Accepted, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use kuriiri_types::{Code, SpiffeId, Subject, Timestamp};

    use super::*;

    const HEADER: Digest = Digest([7; 32]);
    const HOME: &str = "sm.example";
    const HUB: &str = "verkko.example";
    const THIRD: &str = "plm.example";
    const THERE: &str = "um.example";

    fn message() -> MessageId {
        MessageId::new(Timestamp::from_millis(1_795_000_000_000), [1; 10])
    }

    fn address(of: &str) -> Address {
        format!("kirjaamo@{of}").parse().unwrap()
    }

    fn course() -> Course {
        Course::new((message(), HEADER), address(HOME), [address(THERE), address(THIRD)])
    }

    fn peer(of: &str) -> Option<Giver> {
        Some(Giver::Peer(of.parse().unwrap()))
    }

    fn system(of: &str) -> Option<Giver> {
        let id: SpiffeId = format!("spiffe://{of}/system/kirjaamo").parse().unwrap();
        Some(Giver::System(id))
    }

    /// A statement about the message for its recipient at `um`.
    fn said(kind: ReceiptKind, issuer: &str, by: Option<Giver>) -> Receipt {
        Receipt {
            issuer: issuer.parse().unwrap(),
            kind,
            at: Timestamp::from_millis(1_795_000_000_000),
            sender: address(HOME),
            by,
            code: Some(Code::EXPIRED),
            reasons: Vec::new(),
            subjects: vec![Addressed {
                subject: Subject { message: message(), header: HEADER },
                recipient: address(THERE),
            }],
        }
    }

    fn hear(course: &mut Course, receipt: &Receipt) -> Word {
        course.hear(receipt, &receipt.subjects[0])
    }

    fn at_um(course: &Course) -> Progress {
        course.progress().find(|(to, _)| **to == address(THERE)).unwrap().1
    }

    #[test]
    fn a_third_ministry_never_ends_a_recipient() {
        let mut course = course();
        // It is a recipient's too, so it knows the header. Its word that it got this copy from the own relay
        // is not handed on by that.
        let relayed = said(ReceiptKind::Relayed, THIRD, peer(HUB));
        assert_eq!(hear(&mut course, &relayed), Word::Hearsay);
        for (kind, by) in [
            (ReceiptKind::Refused, None),
            (ReceiptKind::Refused, peer(HOME)),
            (ReceiptKind::Expired, None),
            (ReceiptKind::Expired, system(THIRD)),
        ] {
            assert_eq!(hear(&mut course, &said(kind, THIRD, by)), Word::Hearsay, "{kind}");
        }
        let delivered = said(ReceiptKind::Delivered, THIRD, system(THIRD));
        assert_eq!(hear(&mut course, &delivered), Word::Foreign);
        assert_eq!(at_um(&course), Progress::Accepted);
        let delivered = said(ReceiptKind::Delivered, THERE, system(THERE));
        assert_eq!(hear(&mut course, &delivered), Word::News);
        assert_eq!(at_um(&course), Progress::Ended(ReceiptKind::Delivered));
    }

    #[test]
    fn the_own_relay_and_the_recipients_end_it_and_who_the_own_relay_names() {
        for (issuer, by) in [(HOME, None), (THERE, None), (THERE, peer(HUB))] {
            let mut course = course();
            assert_eq!(hear(&mut course, &said(ReceiptKind::Refused, issuer, by)), Word::News);
            assert_eq!(at_um(&course), Progress::Ended(ReceiptKind::Refused));
            // The first end stands.
            let later = said(ReceiptKind::Expired, HOME, None);
            assert_eq!(hear(&mut course, &later), Word::Known);
        }
        let mut course = course();
        let hub = said(ReceiptKind::Expired, HUB, None);
        assert_eq!(hear(&mut course, &hub), Word::Hearsay);
        let mut named = said(ReceiptKind::Refused, HOME, peer(HUB));
        named.subjects[0].recipient = address(THIRD);
        let mut other = course.clone();
        assert_eq!(hear(&mut course, &named), Word::News);
        assert_eq!(hear(&mut course, &hub), Word::News);
        // Or by what it says itself of what the own relay gave it.
        let relayed = said(ReceiptKind::Relayed, HUB, peer(HOME));
        assert_eq!(hear(&mut other, &relayed), Word::News);
        assert_eq!(hear(&mut other, &hub), Word::News);
    }

    #[test]
    fn what_is_about_another_header_sender_id_or_recipient_is_foreign() {
        let good = said(ReceiptKind::Refused, HOME, None);
        let mut wrong = vec![Receipt { sender: address(THIRD), ..good.clone() }];
        let mut other = good.clone();
        other.subjects[0].subject.header = Digest([8; 32]);
        wrong.push(other);
        let mut other = good.clone();
        other.subjects[0].subject.message = MessageId::new(good.at, [2; 10]);
        wrong.push(other);
        let mut other = good.clone();
        other.subjects[0].recipient = address(HUB);
        wrong.push(other);
        let mut course = course();
        for receipt in wrong {
            assert_eq!(hear(&mut course, &receipt), Word::Foreign, "{receipt:?}");
        }
        assert_eq!(hear(&mut course, &good), Word::News);
    }

    #[test]
    fn an_end_is_past_everything_and_relayed_is_not_past_delivered() {
        let end = Progress::Ended(ReceiptKind::Refused);
        assert!(end.is_past(ReceiptKind::Relayed) && end.is_past(ReceiptKind::Delivered));
        assert!(Progress::Relayed.is_past(ReceiptKind::Relayed));
        assert!(!Progress::Relayed.is_past(ReceiptKind::Delivered));
        assert!(!Progress::Accepted.is_past(ReceiptKind::Relayed));
    }
}
