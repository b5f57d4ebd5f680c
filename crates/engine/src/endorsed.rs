//! What officers have signed of a message.

use kuriiri_seal::{VerifiedApproval, VerifiedMessage};
use kuriiri_types::{ApprovalAct, SignedApproval};

use crate::{case::Release, record::approvals_weight};

/// Bytes of a header with the approvals that it needs, so that all of it fits a stored value.
pub(crate) const HEADER_AND_APPROVALS_BYTES_MAX: usize = 26 * 1024;

/// What officers have signed of a message, verbatim and as decisions need it, in the same order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Endorsed {
    pub(crate) approvals: Vec<SignedApproval>,
    pub(crate) releases: Vec<Release>,
}

impl Endorsed {
    /// The approvals that are of this message. Others came along by mistake or malice.
    pub(crate) fn of(message: &VerifiedMessage, approvals: Vec<VerifiedApproval>) -> Self {
        let mut endorsed = Self::default();
        for approval in approvals {
            let releases = approval.approval().act == ApprovalAct::Release;
            if releases && approval.check(message.header(), message.leaf()).is_ok() {
                endorsed.releases.push(Release::from(approval.approval()));
                endorsed.approvals.push(approval.into_parts().1);
            }
        }
        endorsed
    }

    /// True when a stored value has room for them beside the header.
    pub(crate) fn fits(&self, message: &VerifiedMessage) -> bool {
        let header = message.envelope().header.len();
        header + approvals_weight(&self.approvals) <= HEADER_AND_APPROVALS_BYTES_MAX
    }
}
