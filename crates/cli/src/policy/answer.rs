//! What commands that ask a label policy tell of it.

use kuriiri_policy::UnknownNode;
use kuriiri_types::Code;
use serde::Serialize;

use crate::exit::Failure;

/// The policy's answer, as an event.
#[derive(Serialize)]
pub(crate) struct Answer<'a, T> {
    pub(crate) event: &'static str,
    #[serde(flatten)]
    pub(crate) told: &'a T,
}

/// A node was named that the policy does not know.
pub(crate) fn unknown(error: UnknownNode) -> Failure {
    Failure::new(Code::USAGE, error)
}
