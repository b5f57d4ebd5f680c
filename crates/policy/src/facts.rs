//! What a decision is about: everything that is known of a message at one relay.

use std::time::Duration;

use kuriiri_types::{Digest, MessageType, Precedence, Timestamp, WireLabel};

use crate::{clearance::Clearance, node_id::NodeId};

/// Approvals looked at for one message; more officers than any rule demands. The rest do not count.
pub const APPROVALS_MAX: usize = 64;
/// Alternative labels of one message. More: malformed.
pub const ALTERNATIVES_MAX: usize = 16;

/// The facts about one message, one destination and one next step.
///
/// There is no default and no field may be left out: whoever asks for a decision must say what it
/// knows. Nodes that the federation does not know are [`NodeId::UNKNOWN`].
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The relay that decides.
    pub at: NodeId,
    /// The node whose system signed the message.
    pub origin: NodeId,
    /// The relay that handed the message over; none at the origin.
    pub prev: Option<NodeId>,
    /// The relay that would get it next. None when it has arrived (`at` is `dest`), and on
    /// arrival at a hub, which then asks whether it may take the message at all.
    pub next: Option<NodeId>,
    /// The node that the recipient belongs to.
    pub dest: NodeId,
    /// The relays passed so far in order, origin first, `at` last. May be empty at the origin.
    pub path: &'a [NodeId],
    /// The signature over header and label was verified. Without it nothing is looked at.
    pub verified: bool,
    /// The label as the originator wrote it.
    pub label: Option<&'a WireLabel>,
    /// Labels under other policies that translators added, with their signatures verified.
    pub alternatives: &'a [Alternative<'a>],
    /// The message is being submitted now, so its label is new.
    pub originating: bool,
    /// The clearances of the person or system that submits. `None`: the node answers for them.
    /// Looked at only while `originating`.
    pub person: Option<&'a [Clearance]>,
    /// The body is encrypted end to end to the destination.
    pub sealed: bool,
    /// Bytes of the body as carried.
    pub size: u64,
    /// When the originator made it.
    pub created: Timestamp,
    /// Not to be delivered after this.
    pub expires: Option<Timestamp>,
    /// How urgent it is. Held against the rules' cap; changes nothing else.
    pub precedence: Precedence,
    /// Whether it is about something real.
    pub message_type: MessageType,
    /// How far clocks may differ when a label changes at a planned time.
    pub skew: Duration,
    /// What officers approve: the digest over plaintext, label and recipients.
    pub digest: Option<Digest>,
    /// The approvals, with their signatures verified and the officers known to their node.
    pub approvals: &'a [Approval<'a>],
    /// Who wrote it, and so does not count as approver.
    pub drafter: Option<&'a str>,
    /// It passes on content of another originator.
    pub onward: bool,
    /// That originator consented to this recipient, verified.
    pub consent: bool,
}

/// A label under another policy, added by a translator.
#[derive(Debug, Clone, Copy)]
pub struct Alternative<'a> {
    /// The label.
    pub label: &'a WireLabel,
    /// Who signed it. Only the signer of a translation table here is believed.
    pub signer: &'a str,
}

/// One officer's release of one message.
#[derive(Debug, Clone, Copy)]
pub struct Approval<'a> {
    /// The person, unique within the node.
    pub officer: &'a str,
    /// Where the officer is enrolled.
    pub node: NodeId,
    /// What was approved; any edit makes another digest.
    pub digest: Digest,
    /// Counts up to and with this time; none means for ever.
    pub until: Option<Timestamp>,
    /// The roles that the officer held when signing.
    pub roles: &'a [&'a str],
}
