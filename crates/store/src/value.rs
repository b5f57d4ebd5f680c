//! The values of the tree: a byte for the format, then the record in postcard.

use kuriiri_engine::ViewError;
use serde::{Serialize, de::DeserializeOwned};

use crate::key::Key;

/// postcard 1 of the engine's records as they are now.
const POSTCARD: u8 = 1;

/// The stored form of a record.
pub(crate) fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_extend(record, vec![POSTCARD])
}

/// A record from its stored form, all of it.
pub(crate) fn decode<T: DeserializeOwned>(key: &Key, bytes: &[u8]) -> Result<T, ViewError> {
    let refuse = |what: &str| Err(ViewError(format!("{key:?} {what}")));
    let Some((&POSTCARD, bytes)) = bytes.split_first() else {
        return refuse("is in a format that this version does not know");
    };
    match postcard::take_from_bytes(bytes) {
        Ok((record, [])) => Ok(record),
        Ok((_, rest)) => refuse(&format!("has {} bytes too many", rest.len())),
        Err(error) => refuse(&format!("does not decode: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_record_is_refused_by_name() {
        let stored = encode(&7u64).unwrap();
        assert_eq!(decode(&Key::Starts, &stored), Ok(7u64));
        let longer = [stored.as_slice(), &[0]].concat();
        for bad in [&[][..], &[0, 7], &[2, 7], &[1], &longer] {
            let error = decode::<u64>(&Key::Starts, bad).unwrap_err();
            assert!(error.0.starts_with("Starts "), "{error}");
        }
    }
}
