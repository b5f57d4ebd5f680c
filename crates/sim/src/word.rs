//! Words of officers: what they mean to do with a message, and of which message they say so.

use std::{sync::Arc, time::Duration};

use kuriiri_merkle::leaf;
use kuriiri_seal::{Purpose, Signer};
use kuriiri_types::{
    Approval, ApprovalAct, Digest, Header, Ministry, SignedApproval, SpiffeId, Timestamp,
};
use kuriiri_wire::approval;

use crate::{cast::ROLE, rng::Rng, sender::Sent};

/// More officers than any rule asks for: whoever signs under this was told something wrong.
const TOO_MANY: u32 = 9;

/// What an officer does with a message, rightly or wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Releases it.
    Release,
    /// Releases it, for a short time.
    ReleaseBriefly,
    /// Sends it back.
    Reject,
    /// Releases what they wrote themselves.
    ReleaseOwn,
    /// Releases it under a number of officers that was never asked for.
    Miscount,
    /// Releases a message that differs from this one in something.
    ReleaseEdited,
    /// Releases it until a time that is over.
    ReleaseTooLate,
    /// Hands in a release that somebody else signed.
    Borrow,
    /// Releases a message of another ministry.
    Meddle,
}

impl Intent {
    /// True when it must not count, whatever the rules.
    pub(crate) fn is_void(self) -> bool {
        match self {
            Self::Release | Self::ReleaseBriefly | Self::Reject => false,
            Self::ReleaseOwn
            | Self::Miscount
            | Self::ReleaseEdited
            | Self::ReleaseTooLate
            | Self::Borrow
            | Self::Meddle => true,
        }
    }
}

/// A message as an officer saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) relay: Ministry,
    pub(crate) header: Arc<Header>,
    pub(crate) leaf: Digest,
    pub(crate) needed: u32,
}

impl Seen {
    /// A message as its sender made it, of which so many officers are needed.
    pub(crate) fn of(message: &Sent, needed: u32) -> Self {
        let relay = message.header.from.ministry().clone();
        Self { relay, header: Arc::new(message.header.clone()), leaf: message.leaf, needed }
    }
}

/// A word that an officer has given, and waits to hear what it came to.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    pub(crate) officer: SpiffeId,
    pub(crate) leaf: Digest,
    pub(crate) intent: Intent,
}

impl Word {
    /// True when it must not count, whatever the rules.
    pub(crate) fn is_void(&self) -> bool {
        self.intent.is_void()
    }
}

/// What an officer signs. Nothing when the message has no label to repeat.
pub(crate) fn given(
    rng: &mut Rng,
    now: Timestamp,
    seen: &Seen,
    intent: Intent,
    officer: &SpiffeId,
) -> Option<Approval> {
    let header = &seen.header;
    let given = Approval {
        message: header.id,
        subject: seen.leaf,
        content: header.content(),
        label: header.label.clone()?,
        recipients: header.to.clone(),
        keys: header.sealing.as_ref().map(|sealing| sealing.keys.clone()).unwrap_or_default(),
        needed: seen.needed,
        until: None,
        expires: header.expires,
        officer: officer.clone(),
        roles: vec![ROLE.to_owned()],
        act: ApprovalAct::Release,
        at: now,
    };
    let soon = now.after(Duration::from_millis(rng.between(100, 20_000)));
    Some(match intent {
        Intent::Release | Intent::ReleaseOwn | Intent::Borrow | Intent::Meddle => given,
        Intent::ReleaseBriefly => Approval { until: Some(soon), ..given },
        Intent::ReleaseTooLate => {
            Approval { until: Some(now.before(Duration::from_secs(1))), ..given }
        }
        Intent::Miscount => Approval { needed: TOO_MANY, ..given },
        Intent::Reject => {
            let note = "not like this".to_owned();
            Approval { act: ApprovalAct::Reject { note }, ..given }
        }
        Intent::ReleaseEdited => edited(rng, given),
    })
}

/// An approval of another message than the one that waits.
fn edited(rng: &mut Rng, given: Approval) -> Approval {
    let other = leaf(b"something else");
    match rng.below(3) {
        0 => Approval { subject: other, ..given },
        1 => Approval { content: other, ..given },
        _ => Approval { expires: Some(given.at), ..given },
    }
}

/// The approval with the officer's signature.
pub(crate) fn sign(signer: &Signer, given: &Approval) -> Option<SignedApproval> {
    let approval = approval::encode(given);
    let proof = signer.sign(Purpose::Approvals, &[leaf(&approval)]).into_iter().next()?;
    Some(SignedApproval { approval, proof })
}
