//! Whose certificate it is, and whether that ministry issued it.

use std::{collections::HashMap, fmt, time::Duration};

use kuriiri_types::{Ministry, SpiffeId, Timestamp, limits::CERTIFICATE_BYTES_MAX};
use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, SignatureVerificationAlgorithm, TrustAnchor,
    UnixTime, pem::PemObject,
};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, OwnedCertRevocationList,
    RevocationCheckDepth, RevocationOptions, RevocationOptionsBuilder,
};

use crate::{CertificateError, KeyError, crl::Said};

/// What an Ed25519 public key has in front of its 32 bytes in a certificate (RFC 8410 §4).
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
/// id-kp-documentSigning, 1.3.6.1.5.5.7.3.36 (RFC 9336), without tag and length.
const DOCUMENT_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 36];
/// What an authority may sign certificates and revocation lists with.
pub(crate) const AUTHORITY_ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] =
    &[webpki::ring::ED25519, webpki::ring::ECDSA_P256_SHA256];
/// The last moment that can be written; every certificate has expired by then.
const END_OF_TIME: UnixTime = UnixTime::since_unix_epoch(Duration::MAX);

/// The certificate authorities of the federation, each for its own ministry only.
///
/// The authorities' own validity is not looked at: a ministry speaks through whatever the
/// federation file gives it, for as long as it does.
#[derive(Default)]
pub struct Authorities {
    by_ministry: HashMap<Ministry, Trust>,
}

#[derive(Default)]
struct Trust {
    anchors: Vec<TrustAnchor<'static>>,
    revocations: Vec<List>,
}

/// A revocation list, and from when on it says nothing any more.
struct List {
    list: CertRevocationList<'static>,
    next_update: UnixTime,
}

impl Authorities {
    /// Nobody's authorities: no certificate is accepted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the certificates of a ministry's authorities: one PEM, or several in one text, as while
    /// an old and a new authority are both in use.
    ///
    /// # Errors
    /// When the text holds no certificate or one that is not X.509.
    pub fn add(&mut self, ministry: &Ministry, ca_pem: &str) -> Result<(), KeyError> {
        let anchors = pem_all(ca_pem, "certificate", anchor, |source| {
            let ministry = ministry.clone();
            KeyError::Authority { ministry, source }
        })?;
        self.trust(ministry).anchors.extend(anchors);
        Ok(())
    }

    /// Adds a certificate revocation list of a ministry's authority, or several in one text.
    ///
    /// From then on certificates of this ministry are accepted only under a list that is not
    /// overdue, and no admission outlives the list that it rests on. Without any list there is no check: whoever
    /// asks for lists must see that they are there.
    ///
    /// # Errors
    /// When the text holds no list or one that cannot be read.
    pub fn add_revocations(&mut self, ministry: &Ministry, crl_pem: &str) -> Result<(), KeyError> {
        let lists = pem_all(crl_pem, "certificate revocation list", revocations, |source| {
            let ministry = ministry.clone();
            KeyError::Revocations { ministry, source }
        })?;
        self.trust(ministry).revocations.extend(lists);
        Ok(())
    }

    /// What a certificate says, once its own ministry's authority is found to have said it.
    pub(crate) fn certify(
        &self,
        der: &[u8],
        now: Timestamp,
    ) -> Result<Certified, CertificateError> {
        let der = CertificateDer::from(der);
        let claims = Claims::read(&der)?;
        let trust = self
            .by_ministry
            .get(claims.id.ministry())
            .ok_or_else(|| CertificateError::UnknownMinistry(claims.id.ministry().clone()))?;
        let checked = trust.check(&der, unix_time(now)).and_then(|()| trust.end(&der));
        let ends = checked.and_then(|not_after| Ok((not_after, trust.vouched_until(&der)?)));
        match ends {
            Ok((not_after, vouched_until)) => Ok(Certified { claims, not_after, vouched_until }),
            Err(source) => Err(CertificateError::Refused { id: claims.id, source }),
        }
    }

    fn trust(&mut self, ministry: &Ministry) -> &mut Trust {
        self.by_ministry.entry(ministry.clone()).or_default()
    }
}

impl Trust {
    /// Chain, validity, revocation and purpose.
    fn check(&self, der: &CertificateDer<'_>, now: UnixTime) -> Result<(), webpki::Error> {
        let lists: Vec<_> = self.revocations.iter().map(|List { list, .. }| list).collect();
        EndEntityCert::try_from(der)?
            .verify_for_usage(
                AUTHORITY_ALGORITHMS,
                &self.anchors,
                &[],
                now,
                KeyUsage::required(DOCUMENT_SIGNING),
                revocation_options(&lists),
                None,
            )
            .map(|_| ())
    }

    /// Until when the certificate is valid. Asked at the end of time, the answer is a refusal that
    /// names it: a way to read it from the parser that has judged it, not from a second one.
    fn end(&self, der: &CertificateDer<'_>) -> Result<UnixTime, webpki::Error> {
        match self.check(der, END_OF_TIME) {
            Err(webpki::Error::CertExpired { not_after, .. }) => Ok(not_after),
            Err(other) => Err(other),
            Ok(()) => Ok(END_OF_TIME),
        }
    }

    /// When the list is overdue by which the certificate is judged: the first of its issuer. None where nothing is
    /// judged by lists.
    fn vouched_until(&self, der: &CertificateDer<'_>) -> Result<Option<UnixTime>, webpki::Error> {
        let certificate = EndEntityCert::try_from(der)?;
        let judges = |of: &&List| of.list.issuer() == certificate.issuer();
        Ok(self.revocations.iter().find(judges).map(|of| of.next_update))
    }
}

/// Checks that a certificate that is trusted by itself is for signing documents, and valid at `now`.
pub(crate) fn check_pinned(der: &CertificateDer<'_>, now: Timestamp) -> Result<(), webpki::Error> {
    // Dates and usage are judged before an issuer is looked for, and no issuer is given: that none
    // is found says that all else is good. The tests hold the library to this.
    match Trust::default().check(der, unix_time(now)) {
        Ok(()) | Err(webpki::Error::UnknownIssuer) => Ok(()),
        Err(other) => Err(other),
    }
}

/// From when to when a certificate is valid, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateValidity {
    /// Its first second.
    pub not_before: Timestamp,
    /// Its last second.
    pub not_after: Timestamp,
}

impl CertificateValidity {
    /// Of a certificate that is for signing documents; of any other there is none.
    pub(crate) fn of(der: &CertificateDer<'_>) -> Result<Self, webpki::Error> {
        let dates = Self::of_any(der)?;
        // Usage is judged after the dates, so it is only seen while they are good.
        check_pinned(der, dates.not_before)?;
        Ok(dates)
    }

    /// Of a certificate (DER) for whatever purpose. It says nothing of who issued it.
    ///
    /// # Errors
    /// When the certificate cannot be read.
    pub fn of_der(der: &[u8]) -> Result<Self, KeyError> {
        let unreadable = |source| KeyError::from(CertificateError::Unreadable(source));
        Self::of_any(&CertificateDer::from(der)).map_err(unreadable)
    }

    /// Of all certificates in a PEM text, at least one, for whatever purpose.
    ///
    /// # Errors
    /// When the text holds no certificate, or one that cannot be read.
    pub fn all_in(pem: &str) -> Result<Vec<Self>, KeyError> {
        let unreadable = |source| CertificateError::Unreadable(source).into();
        pem_all(pem, "certificate", Self::of_any, unreadable)
    }

    /// Dates are judged before anything else is, and are got from the parser as [`Trust::end`] gets them.
    fn of_any(der: &CertificateDer<'_>) -> Result<Self, webpki::Error> {
        let not_after = timestamp(Trust::default().end(der)?);
        let beginning = Timestamp::default();
        let not_before = match Trust::default().check(der, unix_time(beginning)) {
            Err(webpki::Error::CertNotValidYet { not_before, .. }) => timestamp(not_before),
            Ok(()) | Err(_) => beginning,
        };
        Ok(Self { not_before, not_after })
    }

    /// Whether the certificate was valid then.
    pub fn includes(&self, at: Timestamp) -> bool {
        // Certificates know seconds: the last one lasts to its end, as it does for those who verify.
        let at = unix_time(at);
        unix_time(self.not_before) <= at && at <= unix_time(self.not_after)
    }
}

/// What an accepted signing certificate says.
pub(crate) struct Certified {
    claims: Claims,
    not_after: UnixTime,
    vouched_until: Option<UnixTime>,
}

impl Certified {
    pub(crate) fn id(&self) -> &SpiffeId {
        &self.claims.id
    }

    pub(crate) fn public_key(&self) -> &[u8; 32] {
        &self.claims.public_key
    }

    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        unix_time(now) > self.not_after
    }

    /// Since when the list is overdue that vouches for it, if it is.
    pub(crate) fn unvouched_since(&self, now: Timestamp) -> Option<Timestamp> {
        self.vouched_until.filter(|end| unix_time(now) >= *end).map(timestamp)
    }
}

/// What a certificate says of itself, not yet confirmed by anybody.
pub(crate) struct Claims {
    pub(crate) id: SpiffeId,
    pub(crate) public_key: [u8; 32],
}

impl Claims {
    pub(crate) fn read(der: &CertificateDer<'_>) -> Result<Self, CertificateError> {
        if der.len() > CERTIFICATE_BYTES_MAX {
            return Err(CertificateError::TooLong(der.len()));
        }
        let certificate = EndEntityCert::try_from(der).map_err(CertificateError::Unreadable)?;
        let mut names = certificate.valid_uri_names();
        let (Some(name), None) = (names.next(), names.next()) else {
            return Err(CertificateError::Name);
        };
        let id: SpiffeId = name.parse().map_err(|_| CertificateError::Name)?;
        let info = certificate.subject_public_key_info();
        let key = info.strip_prefix(&ED25519_SPKI);
        match key.and_then(|key| key.try_into().ok()) {
            Some(public_key) => Ok(Self { id, public_key }),
            None => Err(CertificateError::Key(id)),
        }
    }
}

fn revocation_options<'a>(
    lists: &'a [&'a CertRevocationList<'a>],
) -> Option<RevocationOptions<'a>> {
    // It fails on an empty list only, which means no check.
    let builder = RevocationOptionsBuilder::new(lists).ok()?;
    let options = builder
        .with_depth(RevocationCheckDepth::EndEntity)
        .with_expiration_policy(ExpirationPolicy::Enforce);
    Some(options.build())
}

fn unix_time(at: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(at.since(Timestamp::default()))
}

fn timestamp(at: UnixTime) -> Timestamp {
    Timestamp::default().after(Duration::from_secs(at.as_secs()))
}

/// All objects of one kind in a PEM text, at least one.
pub(crate) fn pem_all<P: PemObject, T>(
    text: &str,
    what: &'static str,
    read: impl Fn(&P) -> Result<T, webpki::Error>,
    unreadable: impl Fn(webpki::Error) -> KeyError,
) -> Result<Vec<T>, KeyError> {
    let missing = |source| KeyError::Pem { what, source };
    P::from_pem_slice(text.as_bytes()).map_err(missing)?;
    P::pem_slice_iter(text.as_bytes())
        .map(|object| read(&object.map_err(missing)?).map_err(&unreadable))
        .collect()
}

fn anchor(der: &CertificateDer<'static>) -> Result<TrustAnchor<'static>, webpki::Error> {
    webpki::anchor_from_trusted_cert(der).map(|anchor| anchor.to_owned())
}

fn revocations(der: &CertificateRevocationListDer<'static>) -> Result<List, webpki::Error> {
    let list = OwnedCertRevocationList::from_der(der)?.into();
    Ok(List { list, next_update: unix_time(Said::read(der)?.next_update) })
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_ministry.keys()).finish()
    }
}
