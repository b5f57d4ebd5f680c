//! What can be swapped while an endpoint runs, and the links that a swap can end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::ArcSwap;
use kuriiri_types::SpiffeId;
use rustls_pki_types::UnixTime;

use crate::{CertificateError, CloseCode, Identity, IdentityError, Link, Trust, link::LinkState};

/// Identity and trust as they are now, and every link that is still held.
#[derive(Debug)]
pub(crate) struct Swap {
    identity: ArcSwap<Identity>,
    trust: ArcSwap<Trust>,
    links: Mutex<Vec<Weak<LinkState>>>,
}

impl Swap {
    pub(crate) fn new(identity: Identity, trust: Trust) -> Self {
        Self {
            identity: ArcSwap::from_pointee(identity),
            trust: ArcSwap::from_pointee(trust),
            links: Mutex::default(),
        }
    }

    pub(crate) fn identity(&self) -> Arc<Identity> {
        self.identity.load_full()
    }

    pub(crate) fn trust(&self) -> Arc<Trust> {
        self.trust.load_full()
    }

    pub(crate) fn replace_identity(&self, new: Identity) -> Result<(), IdentityError> {
        let current = self.identity();
        if current.id() != new.id() {
            return Err(IdentityError::OtherHolder {
                current: current.id().clone(),
                new: new.id().clone(),
            });
        }
        self.identity.store(Arc::new(new));
        Ok(())
    }

    /// Puts a trust in place and closes the links that it does not accept; says whose they were.
    pub(crate) fn replace_trust(&self, new: Trust) -> Vec<SpiffeId> {
        let new = Arc::new(new);
        self.trust.store(Arc::clone(&new));
        let live: Vec<Link> = self.lock().iter().filter_map(Link::upgrade).collect();
        live.iter()
            .filter(|link| link.close_reason().is_none())
            .filter(|link| close_unless_trusted(link, &new).is_err())
            .map(|link| link.peer().id().clone())
            .collect()
    }

    /// Takes in a new link and forgets those that are gone. `judged_by` is the trust of its
    /// handshake; if it was replaced since, the peer is judged again, so that no link slips
    /// through a swap.
    pub(crate) fn admit(
        &self,
        link: &Link,
        judged_by: &Arc<Trust>,
    ) -> Result<(), CertificateError> {
        let mut links = self.lock();
        links.retain(|link| link.strong_count() > 0);
        links.push(link.downgrade());
        drop(links);
        let trust = self.trust();
        if Arc::ptr_eq(&trust, judged_by) { Ok(()) } else { close_unless_trusted(link, &trust) }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<LinkState>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn close_unless_trusted(link: &Link, trust: &Trust) -> Result<(), CertificateError> {
    let verdict = link.peer().verify_again(trust, UnixTime::now());
    if let Err(error) = &verdict {
        tracing::warn!(peer = %link.peer().id(), %error, "closing a link that is not trusted");
        link.close(CloseCode::Identity, "");
    }
    verdict
}
