//! What a revocation list says of itself: which one of its authority's it is, and until when it counts.

use std::{fmt, str::FromStr};

use kuriiri_merkle::digest;
use kuriiri_types::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use webpki::BorrowedCertRevocationList;

use crate::{
    der::{
        BIT_STRING, CONTEXT_0, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID, SEQUENCE, UTC_TIME,
        Value, Values,
    },
    hex,
};

/// Octets of the number of a list, at most (RFC 5280 §5.2.3).
const NUMBER_OCTETS_MAX: usize = 20;
/// id-ce-cRLNumber, 2.5.29.20, without tag and length.
const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 0x14];

/// What a list says, whoever signed it.
pub(crate) struct Said {
    pub(crate) issuer: Vec<u8>,
    pub(crate) number: Option<ListNumber>,
    pub(crate) this_update: Timestamp,
    pub(crate) next_update: Timestamp,
    pub(crate) digest: Digest,
    /// What is signed, by which algorithm, and the signature.
    pub(crate) signed: (Vec<u8>, Vec<u8>, Vec<u8>),
}

impl Said {
    /// Reads a list that is one to those who judge certificates by it.
    pub(crate) fn read(der: &[u8]) -> Result<Self, webpki::Error> {
        BorrowedCertRevocationList::from_der(der)?;
        Self::of(der).ok_or(webpki::Error::BadDer)
    }

    /// CertificateList of RFC 5280 §5.1.
    fn of(der: &[u8]) -> Option<Self> {
        let mut list = Values::of(der).want(SEQUENCE)?.values();
        let signed = list.want(SEQUENCE)?;
        let algorithm = list.want(SEQUENCE)?.content.to_vec();
        let (0, signature) = list.want(BIT_STRING)?.content.split_first()? else { return None };
        let mut fields = signed.values();
        fields.want(INTEGER)?;
        fields.want(SEQUENCE)?;
        let issuer = fields.want(SEQUENCE)?.content.to_vec();
        let mut moment = || fields.want(UTC_TIME).or_else(|| fields.want(GENERALIZED_TIME));
        let (this_update, next_update) = (moment()?.time()?, moment()?.time()?);
        // Certificates that are revoked.
        fields.want(SEQUENCE);
        let extensions = fields.want(CONTEXT_0)?.values().want(SEQUENCE)?.values();
        let number = extensions.filter_map(extension).find(|(id, _)| *id == CRL_NUMBER);
        let number = match number {
            Some((_, value)) => Some(ListNumber::of(Values::of(value).want(INTEGER)?.content)?),
            None => None,
        };
        let signed = (signed.whole.to_vec(), algorithm, signature.to_vec());
        Some(Self { issuer, number, this_update, next_update, digest: digest(der), signed })
    }
}

/// The number of a revocation list, of 20 octets at most. It is shown as OpenSSL shows it: in decimal
/// below 2¹²⁸, else in hexadecimal with `0x` before it; both are read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ListNumber([u8; NUMBER_OCTETS_MAX]);

/// The object identifier and the value of an extension.
fn extension(whole: Value<'_>) -> Option<(&[u8], &[u8])> {
    let mut fields = whole.values();
    let id = fields.want(OID)?.content;
    fields.find(|value| value.tag == OCTET_STRING).map(|value| (id, value.content))
}

impl ListNumber {
    /// From the content of an INTEGER that is not negative.
    fn of(octets: &[u8]) -> Option<Self> {
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        let octets = octets.get(zeros..)?;
        let mut number = [0; NUMBER_OCTETS_MAX];
        let start = NUMBER_OCTETS_MAX.checked_sub(octets.len())?;
        number.get_mut(start..)?.copy_from_slice(octets);
        Some(Self(number))
    }
}

impl fmt::Display for ListNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (high, low) = self.0.split_at(NUMBER_OCTETS_MAX - 16);
        match (high, low.try_into()) {
            ([0, 0, 0, 0], Ok(low)) => write!(f, "{}", u128::from_be_bytes(low)),
            _ => {
                let octets = self.0.iter().skip_while(|octet| **octet == 0);
                f.write_str("0x")?;
                octets.into_iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
        }
    }
}

impl fmt::Debug for ListNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text is not the number of a revocation list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not the number of a revocation list")]
pub struct ListNumberError;

impl TryFrom<String> for ListNumber {
    type Error = ListNumberError;

    fn try_from(text: String) -> Result<Self, ListNumberError> {
        text.parse()
    }
}

impl From<ListNumber> for String {
    fn from(number: ListNumber) -> Self {
        number.to_string()
    }
}

impl FromStr for ListNumber {
    type Err = ListNumberError;

    fn from_str(text: &str) -> Result<Self, ListNumberError> {
        let Some(digits) = text.strip_prefix("0x") else {
            let number: u128 = text.parse().map_err(|_| ListNumberError)?;
            return Self::of(&number.to_be_bytes()).ok_or(ListNumberError);
        };
        let padded = format!("{digits:0>width$}", width = 2 * NUMBER_OCTETS_MAX);
        hex::decode(&padded).map(Self).ok_or(ListNumberError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers_and_shown_as_openssl_shows_them() {
        let read = |text: &str| text.parse::<ListNumber>().unwrap();
        assert!(read("9") < read("10") && read("0x0a") == read("10"));
        let large = format!("0x7f{}", "00".repeat(19));
        assert!(read(&large) > read(&u128::MAX.to_string()));
        for text in ["0", "1795000000000", &large] {
            assert_eq!(read(text).to_string(), text);
        }
        for text in ["", "-1", "0x", "1x", &format!("0x{}", "11".repeat(21))] {
            assert_eq!(text.parse::<ListNumber>().is_ok(), text == "0x", "{text}");
        }
        assert_eq!(ListNumber::of(&[0, 0x80]), Some(read("128")));
        assert_eq!(ListNumber::of(&[1; 21]), None);
    }
}
