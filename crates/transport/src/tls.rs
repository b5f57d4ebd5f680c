//! rustls and quinn, configured.

use std::sync::Arc;

use quinn::{
    TransportConfig, VarInt,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rustls::{
    client::Resumption,
    crypto::{CryptoProvider, SupportedKxGroup, ring},
    server::NoServerSessionStorage,
    version::TLS13,
};

use crate::{
    BindError, Conversation, Identity, KeyAgreement,
    limits::{
        IDLE_TIMEOUT_MILLIS, KEEP_ALIVE, LINK_WINDOW_BYTES, SEND_WINDOW_BYTES, STREAM_WINDOW_BYTES,
        STREAMS_MAX,
    },
    verify::{Judge, SUPPORTED},
};

/// The server name in every ClientHello: harmless, the same for all, and never looked at.
pub(crate) const SERVER_NAME: &str = "relay.invalid";

/// What TLS refused, for the source of an error.
pub(crate) type TlsError = Box<dyn std::error::Error + Send + Sync>;

/// ring for everything, and the groups of the key agreement in order of preference.
pub(crate) fn provider(agreement: KeyAgreement) -> Result<Arc<CryptoProvider>, BindError> {
    let classic = ring::kx_group::X25519;
    let kx_groups = match (agreement, hybrid()) {
        (KeyAgreement::PqRequired, Some(hybrid)) => vec![hybrid],
        (KeyAgreement::PqRequired, None) => return Err(BindError::PostQuantumUnavailable),
        (KeyAgreement::PqPreferred, Some(hybrid)) => vec![hybrid, classic],
        (KeyAgreement::PqPreferred, None) | (KeyAgreement::Classic, _) => vec![classic],
    };
    Ok(Arc::new(CryptoProvider {
        kx_groups,
        signature_verification_algorithms: SUPPORTED,
        ..ring::default_provider()
    }))
}

#[cfg(feature = "pq")]
fn hybrid() -> Option<&'static dyn SupportedKxGroup> {
    Some(rustls::crypto::aws_lc_rs::kx_group::X25519MLKEM768)
}

#[cfg(not(feature = "pq"))]
fn hybrid() -> Option<&'static dyn SupportedKxGroup> {
    None
}

/// The listening side of one handshake. Every handshake has its own, so a swap of identity or
/// trust needs no more than to make the next one differently.
pub(crate) fn listener(
    provider: &Arc<CryptoProvider>,
    identity: &Identity,
    judge: &Arc<Judge>,
    conversations: &[Conversation],
) -> Result<Arc<QuicServerConfig>, TlsError> {
    let config = listener_tls(provider, identity, judge, conversations)?;
    Ok(Arc::new(QuicServerConfig::try_from(config)?))
}

/// The dialling side of one handshake.
pub(crate) fn dialler(
    provider: &Arc<CryptoProvider>,
    identity: &Identity,
    judge: &Arc<Judge>,
    conversation: Conversation,
) -> Result<Arc<QuicClientConfig>, TlsError> {
    let config = dialler_tls(provider, identity, judge, conversation)?;
    Ok(Arc::new(QuicClientConfig::try_from(config)?))
}

fn listener_tls(
    provider: &Arc<CryptoProvider>,
    identity: &Identity,
    judge: &Arc<Judge>,
    conversations: &[Conversation],
) -> Result<rustls::ServerConfig, rustls::Error> {
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::clone(judge) as _)
        .with_cert_resolver(identity.key());
    config.alpn_protocols = alpn(conversations);
    config.max_early_data_size = 0;
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

fn dialler_tls(
    provider: &Arc<CryptoProvider>,
    identity: &Identity,
    judge: &Arc<Judge>,
    conversation: Conversation,
) -> Result<rustls::ClientConfig, rustls::Error> {
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(judge) as _)
        .with_client_cert_resolver(identity.key());
    config.alpn_protocols = alpn(&[conversation]);
    config.enable_early_data = false;
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn alpn(conversations: &[Conversation]) -> Vec<Vec<u8>> {
    conversations.iter().map(|c| c.alpn().into()).collect()
}

/// The bounds of QUIC. Only the dialling side breaks silences: one is enough.
pub(crate) fn transport(dialling: bool, segmentation_offload: bool) -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS_MAX))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(LINK_WINDOW_BYTES))
        .send_window(SEND_WINDOW_BYTES)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(Some(VarInt::from_u32(IDLE_TIMEOUT_MILLIS).into()))
        .keep_alive_interval(dialling.then_some(KEEP_ALIVE))
        .enable_segmentation_offload(segmentation_offload);
    Arc::new(config)
}

#[cfg(test)]
mod tests {
    use kuriiri_certs::{Authority, Purpose, Validity};
    use kuriiri_types::{Ministry, Timestamp};
    use rustls::{NamedGroup, quic};
    use rustls_pki_types::UnixTime;

    use super::*;
    use crate::{Expect, Trust};

    /// The group that two sides with these settings agree on, in memory.
    fn agreed(dials: KeyAgreement, listens: KeyAgreement) -> Option<NamedGroup> {
        let ministry: Ministry = "sm.example".parse().unwrap();
        let now = i64::try_from(UnixTime::now().as_secs()).unwrap() * 1000;
        let week = Validity::days(Timestamp::from_millis(now - 86_400_000), 7);
        let authority = Authority::new(&ministry, week).unwrap();
        let id = "spiffe://sm.example/relay/r1".parse().unwrap();
        let issued = authority.issue(&id, Purpose::Tls, week).unwrap();
        let identity = Identity::from_pem(&issued.certificate_pem, &issued.key_pem).unwrap();
        let crl = authority.crl(&[], week).unwrap();
        let trust = Trust::builder()
            .member(ministry.clone(), authority.certificate_pem(), Some(&crl))
            .unwrap();
        let trust = Arc::new(trust.build().unwrap());

        let judge = Judge::new(Arc::clone(&trust), Some(Expect::Relay(ministry)));
        let provider_here = provider(dials).unwrap();
        let config = dialler_tls(&provider_here, &identity, &judge, Conversation::Relay).unwrap();
        let name = SERVER_NAME.try_into().unwrap();
        let version = quic::Version::V1;
        let dialler =
            quic::ClientConnection::new(Arc::new(config), version, name, Vec::new()).unwrap();
        let provider_there = provider(listens).unwrap();
        let judge = Judge::new(trust, None);
        let both = [Conversation::Client, Conversation::Relay];
        let config = listener_tls(&provider_there, &identity, &judge, &both).unwrap();
        let listener = quic::ServerConnection::new(Arc::new(config), version, Vec::new()).unwrap();
        complete(dialler, listener)
    }

    fn complete(
        mut dialler: quic::ClientConnection,
        mut listener: quic::ServerConnection,
    ) -> Option<NamedGroup> {
        // One call writes what belongs to one level of keys, and so must one call read.
        while dialler.is_handshaking() || listener.is_handshaking() {
            let mut flight = Vec::new();
            dialler.write_hs(&mut flight);
            listener.read_hs(&flight).ok()?;
            let mut flight = Vec::new();
            listener.write_hs(&mut flight);
            dialler.read_hs(&flight).ok()?;
        }
        let group = listener.negotiated_key_exchange_group()?.name();
        assert_eq!(dialler.negotiated_key_exchange_group()?.name(), group);
        Some(group)
    }

    #[test]
    fn post_quantum_is_what_is_agreed_on_when_both_have_it() {
        use KeyAgreement::{Classic, PqPreferred};
        let best =
            if cfg!(feature = "pq") { NamedGroup::X25519MLKEM768 } else { NamedGroup::X25519 };
        assert_eq!(agreed(PqPreferred, PqPreferred), Some(best));
        assert_eq!(agreed(PqPreferred, Classic), Some(NamedGroup::X25519));
        assert_eq!(agreed(Classic, PqPreferred), Some(NamedGroup::X25519));
    }
}
