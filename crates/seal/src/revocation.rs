//! The revocation lists that a ministry's authorities have signed.

use kuriiri_merkle::digest;
use kuriiri_types::{Digest, Fingerprint, Ministry, Timestamp};
use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, CertificateRevocationListDer, TrustAnchor,
};
use webpki::{anchor_from_trusted_cert, spki_for_anchor};

use crate::{
    KeyError,
    certificate::{AUTHORITY_ALGORITHMS, pem_all},
    crl::{ListNumber, Said},
    der::{BIT_STRING, SEQUENCE, Values},
};

/// A revocation list that one of a ministry's authorities has signed, by what it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    /// SHA-256 of the authority's public key (its SubjectPublicKeyInfo).
    pub authority: Fingerprint,
    /// Its number, which rises from list to list of one authority (RFC 5280 §5.2.3). Not every
    /// authority numbers its lists.
    pub number: Option<ListNumber>,
    /// When it was issued.
    pub this_update: Timestamp,
    /// From when on it says nothing any more.
    pub next_update: Timestamp,
    /// SHA-256 of the whole list.
    pub digest: Digest,
}

impl RevocationList {
    /// The lists in a PEM text that the authorities in another issued, in the order of the text.
    ///
    /// A list in the name of none of them is passed over: nothing here can say whose it is.
    ///
    /// # Errors
    /// When something cannot be read, or a list is in the name of an authority that has not signed it.
    pub fn issued_by(
        ministry: &Ministry,
        ca_pem: &str,
        crl_pem: &str,
    ) -> Result<Vec<Self>, KeyError> {
        let authorities = authorities(ministry, ca_pem)?;
        let mut found = Vec::new();
        for list in read_all(ministry, crl_pem)? {
            let named = |authority: &&Authority| authority.anchor.subject.as_ref() == list.issuer;
            let mut named = authorities.iter().filter(named).peekable();
            if named.peek().is_none() {
                continue;
            }
            let signer = named.find(|authority| is_signed_by(&list, &authority.anchor));
            let authority = signer.ok_or_else(|| KeyError::NotTheirList(ministry.clone()))?.id;
            let Said { number, this_update, next_update, digest, .. } = list;
            found.push(Self { authority, number, this_update, next_update, digest });
        }
        Ok(found)
    }
}

/// The names of the authorities in a PEM text, as [`RevocationList::authority`] has them.
///
/// # Errors
/// When the text holds no certificate, or one that cannot be read.
pub fn authority_ids(ministry: &Ministry, ca_pem: &str) -> Result<Vec<Fingerprint>, KeyError> {
    Ok(authorities(ministry, ca_pem)?.iter().map(|authority| authority.id).collect())
}

struct Authority {
    anchor: TrustAnchor<'static>,
    id: Fingerprint,
}

fn authorities(ministry: &Ministry, ca_pem: &str) -> Result<Vec<Authority>, KeyError> {
    let read = |der: &CertificateDer<'static>| {
        let anchor = anchor_from_trusted_cert(der)?.to_owned();
        let id = digest(&spki_for_anchor(&anchor));
        Ok(Authority { anchor, id })
    };
    pem_all(ca_pem, "certificate", read, |source| KeyError::Authority {
        ministry: ministry.clone(),
        source,
    })
}

fn read_all(ministry: &Ministry, crl_pem: &str) -> Result<Vec<Said>, KeyError> {
    let read = |der: &CertificateRevocationListDer<'static>| Said::read(der);
    pem_all(crl_pem, "certificate revocation list", read, |source| KeyError::Revocations {
        ministry: ministry.clone(),
        source,
    })
}

fn is_signed_by(list: &Said, authority: &TrustAnchor<'_>) -> bool {
    let (signed, algorithm, signature) = &list.signed;
    let mut key = Values::of(&authority.subject_public_key_info);
    let kind = key.want(SEQUENCE).map(|kind| kind.content);
    let key = key.want(BIT_STRING).and_then(|key| key.content.split_first());
    let (Some(kind), Some((0, key))) = (kind, key) else { return false };
    let is = |id: AlgorithmIdentifier, named: &[u8]| id.as_ref() == named;
    AUTHORITY_ALGORITHMS.iter().any(|known| {
        is(known.signature_alg_id(), algorithm)
            && is(known.public_key_alg_id(), kind)
            && known.verify_signature(key, signed, signature).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use kuriiri_certs::{Authority as Issuer, Validity};
    use kuriiri_damage::any_damage;
    use proptest::prelude::*;
    use rustls_pki_types::pem::PemObject;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn sm() -> Ministry {
        "sm.example".parse().unwrap()
    }

    fn issuer(name: &str) -> Issuer {
        Issuer::new(&name.parse().unwrap(), Validity::days(NOW, 100)).unwrap()
    }

    #[test]
    fn a_list_says_which_one_of_its_authority_it_is() {
        let (one, two, foreign) = (issuer("sm.example"), issuer("new.sm.example"), issuer("x.y"));
        let list = |issuer: &Issuer| issuer.crl(&[], Validity::days(NOW, 7)).unwrap();
        let ca = format!("{}{}", one.certificate_pem(), two.certificate_pem());
        let lists = format!("{}{}{}", list(&two), list(&foreign), list(&one));
        let found = RevocationList::issued_by(&sm(), &ca, &lists).unwrap();
        let ids = authority_ids(&sm(), &ca).unwrap();
        let named: Vec<_> = found.iter().map(|list| list.authority).collect();
        assert_eq!(named, [ids[1], ids[0]]);
        let last = &found[1];
        assert_eq!(last.number.unwrap().to_string(), NOW.as_millis().to_string());
        assert_eq!((last.this_update, last.next_update), {
            let week = Validity::days(NOW, 7);
            (week.not_before, week.not_after)
        });
        assert_ne!(found[0].digest, found[1].digest);
    }

    #[test]
    fn a_list_that_its_authority_has_not_signed_is_refused() {
        let (one, impostor) = (issuer("sm.example"), issuer("sm.example"));
        let forged = impostor.crl(&[], Validity::days(NOW, 7)).unwrap();
        let refused = RevocationList::issued_by(&sm(), one.certificate_pem(), &forged);
        assert!(matches!(refused, Err(KeyError::NotTheirList(_))), "{refused:?}");
        // While both are authorities of the ministry, it is told by the key whose it is.
        let both = format!("{}{}", one.certificate_pem(), impostor.certificate_pem());
        let found = RevocationList::issued_by(&sm(), &both, &forged).unwrap();
        assert_eq!(found[0].authority, authority_ids(&sm(), &both).unwrap()[1]);
    }

    proptest! {
        #[test]
        fn a_damaged_list_is_refused_or_is_not_its_authoritys(damage in any_damage()) {
            let one = issuer("sm.example");
            let pem = one.crl(&[], Validity::days(NOW, 7)).unwrap();
            let der = CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).unwrap();
            let damaged = damage.applied_to(&der);
            let anchor = &authorities(&sm(), one.certificate_pem()).unwrap()[0].anchor;
            let read = Said::read(&damaged);
            let good = read.is_ok_and(|said| is_signed_by(&said, anchor));
            prop_assert_eq!(good, damaged[..] == der[..]);
        }
    }
}
