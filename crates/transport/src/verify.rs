//! The judge of one handshake: what rustls asks about the peer's certificate.

use std::sync::{Arc, OnceLock};

use rustls::{
    self, DigitallySignedStruct, DistinguishedName, PeerIncompatible, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::ring::{ECDSA_P256_SHA256, ED25519};

use crate::{
    CertificateError, Expect, Peer, Trust,
    identity::SCHEMES,
    peer::{ALGORITHMS, Side},
};

/// Judges the peer's certificate once and keeps the verdict. rustls would hand it on as an alert
/// and quinn as text, so whoever began the handshake asks here for the reason.
#[derive(Debug)]
pub(crate) struct Judge {
    trust: Arc<Trust>,
    expect: Option<Expect>,
    verdict: OnceLock<Result<Peer, CertificateError>>,
}

impl Judge {
    pub(crate) fn new(trust: Arc<Trust>, expect: Option<Expect>) -> Arc<Self> {
        Arc::new(Self { trust, expect, verdict: OnceLock::new() })
    }

    /// The trust that it judges by.
    pub(crate) fn trust(&self) -> &Arc<Trust> {
        &self.trust
    }

    /// The verdict, if the handshake came that far. The peer owns its key only when the handshake
    /// has completed as well.
    pub(crate) fn verdict(&self) -> Option<Result<Peer, CertificateError>> {
        self.verdict.get().cloned()
    }

    fn judge(
        &self,
        own: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        side: Side,
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let certificates = std::iter::once(own).chain(intermediates);
        let chain = certificates.map(|c| c.clone().into_owned()).collect();
        let verdict = Peer::verify(&self.trust, chain, side, now)
            .and_then(|peer| self.expected(&peer).map(|()| peer));
        match self.verdict.get_or_init(|| verdict) {
            Ok(_) => Ok(()),
            Err(error) => Err(alert(error)),
        }
    }

    fn expected(&self, peer: &Peer) -> Result<(), CertificateError> {
        match &self.expect {
            Some(expect) if !expect.is_met_by(peer.id()) => {
                let Expect::Relay(expected) = expect;
                Err(CertificateError::Unexpected {
                    expected: expected.clone(),
                    found: peer.id().clone(),
                })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// What the peer is told: the alert that fits and no more.
fn alert(error: &CertificateError) -> rustls::Error {
    use rustls::CertificateError as Alert;
    match error {
        CertificateError::Malformed(_)
        | CertificateError::Names(_)
        | CertificateError::Name(_)
        | CertificateError::Invalid(_) => Alert::BadEncoding,
        CertificateError::UnknownMinistry(_)
        | CertificateError::Issuer(_)
        | CertificateError::RevocationUnknown(_)
        | CertificateError::RevocationStale(_) => Alert::UnknownIssuer,
        CertificateError::Unexpected { .. } => Alert::ApplicationVerificationFailure,
        CertificateError::Expired | CertificateError::NotYetValid => Alert::Expired,
        CertificateError::Revoked => Alert::Revoked,
        CertificateError::Purpose => Alert::InvalidPurpose,
    }
    .into()
}

/// How the signature over the handshake is checked: as certificates are.
pub(crate) static SUPPORTED: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: ALGORITHMS,
    mapping: &[
        (SignatureScheme::ED25519, &[ED25519]),
        (SignatureScheme::ECDSA_NISTP256_SHA256, &[ECDSA_P256_SHA256]),
    ],
};

fn no_tls12() -> Result<HandshakeSignatureValid, rustls::Error> {
    Err(PeerIncompatible::Tls12NotOffered.into())
}

// === what rustls asks of a dialler ===

impl ServerCertVerifier for Judge {
    /// The server name plays no part: a relay is who its certificate says.
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.judge(end_entity, intermediates, Side::Listener, now)
            .map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &SUPPORTED)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }
}

// === what rustls asks of a listener ===

impl ClientCertVerifier for Judge {
    /// No hints: whoever dials has one identity, and needs not be told who the members are.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.judge(end_entity, intermediates, Side::Dialler, now)
            .map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &SUPPORTED)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }
}
