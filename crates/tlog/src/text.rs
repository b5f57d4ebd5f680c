//! Numbers and hashes as the formats of C2SP write them.

use base64::{Engine, engine::general_purpose::STANDARD};
use kuriiri_types::Digest;

/// A number in decimal digits without leading zeros; nothing for any other spelling.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let all_digits = text.bytes().all(|letter| letter.is_ascii_digit());
    let leads_with_zero = text.len() > 1 && text.starts_with('0');
    text.parse().ok().filter(|_| all_digits && !leads_with_zero)
}

/// Base64 (RFC 4648 §4) with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of base64; nothing when the text is not exactly what [`base64`] writes.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// A hash in base64.
pub(crate) fn hash_from_base64(text: &str) -> Option<Digest> {
    Digest::from_slice(&from_base64(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("18446744073709551615"), Some(u64::MAX));
        for bad in ["", "00", "01", "+1", "-1", " 1", "1 ", "1_0", "0x1", "18446744073709551616"] {
            assert_eq!(decimal(bad), None, "{bad}");
        }
    }

    #[test]
    fn bytes_have_one_spelling() {
        assert_eq!(from_base64(&base64(b"kuriiri")).unwrap(), b"kuriiri");
        assert_eq!(base64(b"a"), "YQ==");
        for bad in ["YQ", "YQ=", "YR==", "Y Q==", "YQ==\n", "YQ===", "-_==", "Y"] {
            assert_eq!(from_base64(bad), None, "{bad}");
        }
    }
}
