//! Bytes as lower-case hexadecimal text.

use std::fmt::Write;

pub(crate) fn encode(bytes: &[u8]) -> String {
    // Room for all of it at once, so that no half of a secret is left behind by growing.
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Exactly `N` bytes, or nothing when the text is not just that.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != N * 2 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = match pair {
            [high, low] => digit(*high)? << 4 | digit(*low)?,
            _ => return None,
        };
    }
    Some(bytes)
}

fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_of_each_value() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode::<256>(&encode(&all)).unwrap().to_vec(), all);
        for bad in ["", "0", "0g", "0A", "+1", "001", "é"] {
            assert_eq!(decode::<1>(bad), None, "{bad}");
        }
    }
}
