//! What an endpoint is made with.

use std::time::Duration;

use kuriiri_types::limits::{
    ADMIN_LINKS_MAX, CLIENT_LINKS_MAX, FRAME_BYTES_PER_SECOND_MIN, FRAME_PATIENCE,
    FRAMES_BYTES_MAX, FRAMES_HOLDER_BYTES_MAX, FRAMES_LINK_BYTES_LIMIT, FRAMES_LINK_BYTES_MAX,
    HANDSHAKES_MAX, HANDSHAKES_PER_PREFIX_MAX, RELAY_LINKS_MAX,
};
use tokio::time::Instant;

use crate::{Identity, Trust};

/// What an [`Endpoint`](crate::Endpoint) is made with. [`Settings::new`] gives the usual ones.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who this side is.
    pub identity: Identity,
    /// Whom it believes.
    pub trust: Trust,
    /// How keys are agreed.
    pub key_agreement: KeyAgreement,
    /// Whether the kernel cuts large writes into packets (UDP GSO): faster, and on unless a
    /// network driver is broken.
    pub segmentation_offload: bool,
    /// How many may be inside at once; dialling is not limited by it.
    pub capacity: Capacity,
    /// How many bytes of frames may be held.
    pub room: Room,
    /// How slow a frame may be, on an endpoint that listens.
    pub patience: Patience,
}

impl Settings {
    /// The usual settings: the best key agreement of this build but none refused, segmentation
    /// offload on, the bounds of [`kuriiri_types::limits`].
    pub fn new(identity: Identity, trust: Trust) -> Self {
        Self {
            identity,
            trust,
            key_agreement: KeyAgreement::default(),
            segmentation_offload: true,
            capacity: Capacity::default(),
            room: Room::default(),
            patience: Patience::default(),
        }
    }
}

/// How many may be inside at once. [`Capacity::default`] has the limits of
/// [`kuriiri_types::limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Handshakes that others have begun and not finished.
    pub handshakes: usize,
    /// Those of one address prefix.
    pub handshakes_per_prefix: usize,
    /// Links that relays have made to here, all together.
    pub relays: usize,
    /// Links of the ministry's own systems.
    pub clients: usize,
    /// Links of officers and operators.
    pub admin: usize,
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            handshakes: HANDSHAKES_MAX,
            handshakes_per_prefix: HANDSHAKES_PER_PREFIX_MAX,
            relays: RELAY_LINKS_MAX,
            clients: CLIENT_LINKS_MAX,
            admin: ADMIN_LINKS_MAX,
        }
    }
}

/// How many bytes of frames may be held. [`Room::default`] has the limits of [`kuriiri_types::limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Of one link.
    pub link: u64,
    /// Of one link when the frame's stream is older than all that have their room: others may be waiting for
    /// what it brings.
    pub link_for_oldest: u64,
    /// Of all links of one holder.
    pub holder: u64,
    /// Of all links together. No holder gets more of it than is left over.
    pub all: u64,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            link: FRAMES_LINK_BYTES_MAX,
            link_for_oldest: FRAMES_LINK_BYTES_LIMIT,
            holder: FRAMES_HOLDER_BYTES_MAX,
            all: FRAMES_BYTES_MAX,
        }
    }
}

/// How slow a frame may be: after so long it must have grown by so much a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long it may stand still.
    pub stands_still: Duration,
    /// Bytes a second on average from then on.
    pub bytes_per_second: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { stands_still: FRAME_PATIENCE, bytes_per_second: FRAME_BYTES_PER_SECOND_MIN }
    }
}

impl Patience {
    /// Until when more must have come of a frame whose time runs since then.
    pub(crate) fn until(self, since: Instant, come: usize) -> Option<Instant> {
        let millis = (come as u64).saturating_mul(1000).checked_div(self.bytes_per_second)?;
        since.checked_add(self.stands_still.saturating_add(Duration::from_millis(millis)))
    }
}

/// How the keys of a link are agreed. Signatures are classic in any case: who records traffic
/// today can forge nothing with a quantum computer of tomorrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KeyAgreement {
    /// Only X25519MLKEM768; a peer without it is refused. Needs the feature `pq`.
    PqRequired,
    /// X25519MLKEM768 first, X25519 with peers that have no better. Without the feature `pq` it is
    /// the same as `Classic`.
    #[default]
    PqPreferred,
    /// Only X25519.
    Classic,
}
