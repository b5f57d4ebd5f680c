//! What officers have signed of a message.

use kuriiri_seal::{VerifiedApproval, VerifiedMessage};
use kuriiri_types::{ApprovalAct, SignedApproval};

use crate::{case::Release, record::approvals_weight};

/// Bytes of a header, the ministries that it names and the approvals that it needs. All that a message can gain
/// on its way fits into a stored value beside them: the longest way, the proof of a leaf in the largest
/// batch, and the place of its body.
pub(crate) const HEADER_AND_APPROVALS_BYTES_MAX: usize = 23 * 1024;

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

    /// True when a stored value has room for them beside the header. A message that fits at its origin fits
    /// wherever it comes.
    pub(crate) fn fits(&self, message: &VerifiedMessage) -> bool {
        let (header, bytes) = (message.header(), message.envelope().header.len());
        // While it is held the ministries that wait for it are named once more.
        let names: usize =
            header.to.iter().map(|to| to.address.ministry().as_str().len() + 2).sum();
        bytes + names + approvals_weight(&self.approvals) <= HEADER_AND_APPROVALS_BYTES_MAX
    }
}
