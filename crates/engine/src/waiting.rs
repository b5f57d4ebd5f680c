//! A hold in memory.

use std::sync::Arc;

use kuriiri_types::{Digest, Header, Ministry, SignedApproval, Subject, limits::APPROVALS_MAX};

use crate::{
    case::{Case, Release},
    endorsed::HEADER_AND_APPROVALS_BYTES_MAX,
    message::{Keeping, Message},
    record::{Hold, approvals_weight},
    stop::Stop,
};

/// A hold with its signed bytes read.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) header: Arc<Header>,
    pub(crate) leaf: Digest,
    pub(crate) releases: Vec<Release>,
    pub(crate) hold: Hold,
}

impl Waiting {
    /// The message as entries of the log name it.
    pub(crate) fn subject(&self) -> Subject {
        Subject { message: self.header.id, header: self.leaf }
    }

    /// A copy of a message that is to wait.
    pub(crate) fn of(message: &Message, hold: Hold) -> Self {
        let (header, leaf) = (message.shared_header(), message.leaf());
        Self { header, leaf, releases: message.releases().to_vec(), hold }
    }

    /// The copy of it that goes on to this stop.
    pub(crate) fn resume(&self, stop: Stop) -> Arc<Message> {
        let hold = &self.hold;
        let keeping = Keeping {
            dest: stop.dest,
            path: hold.path.clone(),
            expires: stop.expires,
            accepted: hold.accepted,
            approvals: hold.approvals.clone(),
            releases: self.releases.clone(),
            body: hold.body.clone(),
        };
        Message::new(Arc::clone(&self.header), self.leaf, hold.envelope.clone(), keeping)
    }

    /// The copy of it for one ministry, as a case to be judged.
    pub(crate) fn case<'a>(&'a self, dest: &'a Ministry) -> Case<'a> {
        Case {
            header: &self.header,
            subject: self.leaf,
            dest,
            path: &self.hold.path,
            releases: &self.releases,
            submitter: None,
        }
    }

    /// Adds an approval in the place of an earlier one of the same officer. False when there are
    /// [`APPROVALS_MAX`], or no room in a stored value; then it is not to be written.
    pub(crate) fn add(&mut self, signed: SignedApproval, release: Release) -> bool {
        let known = self.releases.iter().position(|known| known.officer == release.officer);
        if let Some(at) = known {
            self.releases.remove(at);
            self.hold.approvals.remove(at);
        }
        self.hold.approvals.push(signed);
        let bytes = self.hold.envelope.header.len() + approvals_weight(&self.hold.approvals);
        if self.releases.len() >= APPROVALS_MAX || bytes > HEADER_AND_APPROVALS_BYTES_MAX {
            return false;
        }
        self.releases.push(release);
        true
    }
}
