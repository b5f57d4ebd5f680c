//! Where the names of relays lead, looked up when they are dialled: a name may lead elsewhere tomorrow, and one
//! that leads nowhere is that peer's trouble and nobody else's.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
};

use kuriiri_types::limits::{LOOKUP_PATIENCE, LOOKUPS_MAX, PEER_ADDRESSES_MAX};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use crate::error::LinkError;

/// Looks names up, a few at a time: the system's own way of doing it takes a thread for each.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    lookups: Arc<Semaphore>,
}

impl Names {
    pub(crate) fn new() -> Self {
        Self { lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }

    /// The addresses, of both families, that an endpoint `host:port` has now.
    ///
    /// # Errors
    /// [`LinkError::Name`] when it has none, or nobody says so in time.
    pub(crate) async fn resolve(&self, endpoint: &str) -> Result<Vec<SocketAddr>, LinkError> {
        if let Ok(address) = endpoint.parse() {
            return Ok(vec![address]);
        }
        let fault = |why: String| LinkError::Name { name: endpoint.to_owned(), why };
        let look_up = async {
            let turn = Arc::clone(&self.lookups).acquire_owned().await;
            let name = endpoint.to_owned();
            // The thread goes on when nobody waits for it any more, and so it keeps the turn.
            let found = spawn_blocking(move || {
                let _turn = turn;
                name.to_socket_addrs().map(|found| found.take(PEER_ADDRESSES_MAX).collect())
            });
            found.await
        };
        let mut found: Vec<SocketAddr> = match timeout(LOOKUP_PATIENCE, look_up).await {
            Ok(Ok(found)) => found.map_err(|error| fault(error.to_string()))?,
            Ok(Err(error)) => return Err(fault(error.to_string())),
            Err(_) => return Err(fault("no name server answers".into())),
        };
        let mut known = std::collections::BTreeSet::new();
        found.retain(|address| known.insert(*address));
        if found.is_empty() { Err(fault("it has no address".into())) } else { Ok(found) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_is_itself_and_a_name_without_one_is_named() {
        let names = Names::new();
        let found = names.resolve("[::1]:4433").await.unwrap();
        assert_eq!(found, ["[::1]:4433".parse().unwrap()]);
        // RFC 6761 §6.4: no name under `invalid` has an address, and most resolvers do not even ask.
        let error = names.resolve("something.invalid:4433").await.unwrap_err();
        assert!(matches!(error, LinkError::Name { .. }), "{error:?}");
        assert!(error.to_string().contains("something.invalid:4433"), "{error}");
    }
}
