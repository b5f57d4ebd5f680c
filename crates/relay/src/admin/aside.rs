//! What is set aside, as the engine and the wire say it.

use kuriiri_engine::{self as engine, AsideState, QueueId};
use kuriiri_wire::admin::{AsideDeed, AsideMessage, AsidePlace, AsideQueue};

/// A message that is set aside, for the list. Nothing for one that stands in no queue of such messages.
pub(super) fn to_wire(state: AsideState) -> Option<AsideMessage> {
    let AsideState { place: engine::AsidePlace { queue, lane, seq }, header, .. } = state;
    let queue = match queue {
        QueueId::MailboxAside(address) => AsideQueue::Mailbox(address),
        QueueId::OutboxAside(peer) => AsideQueue::Outbox(peer),
        QueueId::Mailbox(_) | QueueId::Outbox(_) | QueueId::Receipts(_) => return None,
    };
    Some(AsideMessage {
        place: AsidePlace { queue, lane, seq },
        id: header.id,
        header: state.leaf,
        from: header.from.clone(),
        size: header.body_size,
        accepted: state.accepted,
        expires: state.expires,
        since: state.aside.since,
        why: state.aside.why,
    })
}

/// The place that a list is to go on from.
pub(super) fn from_wire(place: AsidePlace) -> engine::AsidePlace {
    let AsidePlace { queue, lane, seq } = place;
    let queue = match queue {
        AsideQueue::Mailbox(address) => QueueId::MailboxAside(address),
        AsideQueue::Outbox(peer) => QueueId::OutboxAside(peer),
    };
    engine::AsidePlace { queue, lane, seq }
}

/// What a person wants to become of messages.
pub(super) fn deed(deed: AsideDeed) -> engine::AsideDeed {
    match deed {
        AsideDeed::Retry => engine::AsideDeed::Retry,
        AsideDeed::Refuse => engine::AsideDeed::Refuse,
    }
}
