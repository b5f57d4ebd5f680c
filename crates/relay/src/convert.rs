//! The engine's words as the wire says them.

use kuriiri_engine::{self as engine, PeerState, Reply, Status, Waiting, WitnessAnswer};
use kuriiri_types::{Code, Ministry, Refusal};
use kuriiri_wire::{
    client::{self, PeerStatus, QueueStatus, ReceiptMode, StatusReport},
    relay::Witnessed,
};

/// A reply that is not the one asked for can only be a refusal.
pub(crate) fn refused(reply: Reply) -> client::Reply {
    client::Reply::Refused(match reply {
        Reply::Refused(refusal) => refusal,
        Reply::Verdicts { .. }
        | Reply::Outcome(_)
        | Reply::Status(_)
        | Reply::Holds(..)
        | Reply::Hold(_)
        | Reply::Resolved(_)
        | Reply::Decisions(_)
        | Reply::Erased { .. }
        | Reply::Asides(..)
        | Reply::Fill(_)
        | Reply::AsideActed { .. }
        | Reply::Noted
        | Reply::Witnessed(_) => Refusal::bare(Code::INTERNAL),
    })
}

/// How receipts are read.
pub(crate) fn mode(mode: ReceiptMode) -> engine::ReceiptMode {
    match mode {
        ReceiptMode::Consume => engine::ReceiptMode::Consume,
        ReceiptMode::Watch { from } => engine::ReceiptMode::Watch(from),
    }
}

/// The status for a system.
pub(crate) fn report(ministry: Ministry, relay: String, status: Status) -> StatusReport {
    let Status { now, mailboxes, peers } = status;
    let queue = |Waiting { name, messages, oldest }| QueueStatus { name, messages, oldest };
    let peer = |PeerState { ministry, connected, waiting, next_try, problem }| PeerStatus {
        ministry,
        connected,
        waiting: waiting.messages,
        oldest: waiting.oldest,
        next_try,
        problem,
    };
    StatusReport {
        ministry,
        relay,
        now,
        mailboxes: mailboxes.into_iter().map(queue).collect(),
        peers: peers.into_iter().map(peer).collect(),
    }
}

/// What a peer is answered that wants a checkpoint to be cosigned.
pub(crate) fn witnessed(reply: Reply) -> Witnessed {
    match reply {
        Reply::Witnessed(WitnessAnswer::Cosigned(line)) => Witnessed::Cosigned(line),
        Reply::Witnessed(WitnessAnswer::OtherSize(note)) => Witnessed::Holds(note),
        Reply::Witnessed(WitnessAnswer::Refused(refusal)) => Witnessed::Refused(refusal.coarse()),
        Reply::Refused(_)
        | Reply::Verdicts { .. }
        | Reply::Outcome(_)
        | Reply::Status(_)
        | Reply::Holds(..)
        | Reply::Hold(_)
        | Reply::Resolved(_)
        | Reply::Decisions(_)
        | Reply::Erased { .. }
        | Reply::Asides(..)
        | Reply::Fill(_)
        | Reply::AsideActed { .. }
        | Reply::Noted => Witnessed::Refused(Refusal::bare(Code::INTERNAL)),
    }
}
