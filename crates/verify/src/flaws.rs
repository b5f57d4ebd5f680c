//! What can be wrong with what a log says of one message.

/// Something wrong with what a log says of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) index: u64,
    pub(crate) kind: FlawKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FlawKind {
    /// A decision on a message that nothing before it names for the first time.
    NoHeader,
    /// Taken without a decision that lets it be taken.
    NoDecision,
    /// Taken twice.
    Twice,
    /// A fate without having been taken.
    NeverTaken,
    /// Another relay's word on a copy that was never taken here.
    HeardUntaken,
    /// Delivered without a decision before that lets it be.
    NotPermitted,
    /// Two fates by this relay.
    TwoFates,
    /// This relay says one thing and another the other; the answer of one of them was lost.
    BothTold,
    /// Another relay's word on a message that this one's systems never sent.
    NeverSent,
    /// What the log states of it is not for exactly the recipients that its header names, from its sender
    /// and by its id.
    OtherRecipients,
    /// Another relay's word on a copy that had not left.
    NotLeft,
    /// Its time is said to be over before it could be.
    EndedEarly,
    /// Refused by the rules after it was taken, and no decision denies it.
    NotDenied,
    /// It is said to be erased, and nothing else is said of it.
    ErasedNothing,
}

impl FlawKind {
    /// Whether something is wrong only if the log does not go on from another one.
    pub(crate) fn is_of_something_missing(self) -> bool {
        match self {
            Self::NeverSent
            | Self::NoHeader
            | Self::NoDecision
            | Self::NeverTaken
            | Self::HeardUntaken
            | Self::NotPermitted
            | Self::NotLeft
            | Self::NotDenied
            | Self::ErasedNothing => true,
            Self::Twice
            | Self::TwoFates
            | Self::BothTold
            | Self::OtherRecipients
            | Self::EndedEarly => false,
        }
    }

    /// Whether it would be none if the log had another entry somewhere.
    pub(crate) fn needs_all(self) -> bool {
        // What a header names is stated in the same moment, before the decision or after it; and the life of a
        // message depends on all rules before.
        self.is_of_something_missing() || matches!(self, Self::OtherRecipients | Self::EndedEarly)
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::NoHeader => {
                "the log decides on a message whose header no entry before it brought"
            }
            Self::NoDecision => "it was taken without a decision that lets it be taken",
            Self::Twice => "it was taken twice for the same recipient",
            Self::NeverTaken => "the log tells the fate of a message that it never took",
            Self::HeardUntaken => "another relay speaks of a copy that was never taken here",
            Self::NotPermitted => "it was delivered, and no decision before lets it be",
            Self::TwoFates => "the log tells two fates of one message and recipient",
            Self::BothTold => "two relays tell different fates; an answer between them was lost",
            Self::NeverSent => "another relay speaks of a message that was never decided on here",
            Self::OtherRecipients => {
                "what the log states of it is not for exactly the recipients that its header names, from \
                 its sender and by its id"
            }
            Self::NotLeft => "another relay's receipt came in of a copy that had not left",
            Self::EndedEarly => {
                "its time is said to be over, earlier than its header and the rules let it end"
            }
            Self::ErasedNothing => "a message is said to be erased that the log knows nothing of",
            Self::NotDenied => {
                "it was refused by the rules after it was taken, and no decision before denies it"
            }
        }
    }
}
