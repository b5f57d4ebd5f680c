//! Lets peers notice at once that an endpoint was started again.
//!
//! A relay that comes back after a crash knows none of its old connections. QUIC answers packets
//! of such a connection with a stateless reset (RFC 9000 §10.3), which the peer believes only if it
//! is made with the key that the old process had. So both that key and the key of the connection
//! ids come from the private key of the certificate, which outlives the process. Without this a
//! peer would send into the void until its idle timeout.

use std::sync::Arc;

use quinn::EndpointConfig;
use quinn_proto::HashedConnectionIdGenerator;
use ring::hmac;

const RESETS: &[u8] = b"kuriiri/quic-stateless-reset/1";
const CONNECTION_IDS: &[u8] = b"kuriiri/quic-connection-ids/1";

/// Two keys derived from a private key, of which they tell nothing.
#[derive(Clone)]
pub(crate) struct RestartKeys {
    resets: [u8; 64],
    connection_ids: u64,
}

impl RestartKeys {
    pub(crate) fn derive(private_key: &[u8]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA512, private_key);
        let mut resets = [0; 64];
        let tag = hmac::sign(&key, RESETS);
        resets.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        let tag = hmac::sign(&key, CONNECTION_IDS);
        let connection_ids = tag.as_ref().iter().take(8).fold(0, |n, b| n << 8 | u64::from(*b));
        Self { resets, connection_ids }
    }

    /// The configuration of an endpoint that answers for its earlier lives.
    pub(crate) fn config(&self) -> EndpointConfig {
        let resets = hmac::Key::new(hmac::HMAC_SHA256, &self.resets);
        let mut config = EndpointConfig::new(Arc::new(resets));
        let connection_ids = self.connection_ids;
        config
            .cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(connection_ids)));
        config
    }
}
