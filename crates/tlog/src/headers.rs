//! Headers beside a log: an entry names messages by digests and remains; what the digests are of can leave.
//!
//! The headers of the entries of one bundle are one file. It has a part for each entry that names
//! messages for the first time, in the order of the entries: the entry's place in the bundle (1 byte),
//! the number of its messages (2 bytes, big-endian), and for each message the length of its header (2
//! bytes, big-endian) and the header. A length of 0 is the empty place of a header that was pruned or
//! erased. A bundle without such entries, or none of whose headers is left, need not have a file.

use bytes::Bytes;

/// Bytes in front of the headers of one entry.
const FIXED_BYTES: usize = 3;
/// Bytes of the length in front of a header.
const LENGTH_BYTES: usize = 2;

/// The headers of the messages that one entry names for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryHeaders {
    /// The entry's place in its bundle.
    pub place: u8,
    /// Each header's bytes, in the order of the entry's messages; none where one was pruned or erased.
    pub headers: Vec<Option<Bytes>>,
}

/// The bytes of the file.
///
/// # Errors
/// When an entry has more than 65,535 headers, or a header is longer than that.
pub fn encode_headers(parts: &[EntryHeaders]) -> Result<Vec<u8>, HeadersError> {
    let length = |header: &Option<Bytes>| LENGTH_BYTES + header.as_ref().map_or(0, Bytes::len);
    let whole =
        parts.iter().map(|part| FIXED_BYTES + part.headers.iter().map(length).sum::<usize>());
    let mut file = Vec::with_capacity(whole.sum());
    for part in parts {
        let too_many = |_| HeadersError::TooMany(part.headers.len());
        let count = u16::try_from(part.headers.len()).map_err(too_many)?;
        file.push(part.place);
        file.extend_from_slice(&count.to_be_bytes());
        for header in &part.headers {
            let header = header.as_deref().unwrap_or_default();
            let too_long = |_| HeadersError::TooLong(header.len());
            let length = u16::try_from(header.len()).map_err(too_long)?;
            file.extend_from_slice(&length.to_be_bytes());
            file.extend_from_slice(header);
        }
    }
    Ok(file)
}

/// The parts of a file. The headers are slices of it.
///
/// # Errors
/// When the bytes are not whole parts whose places rise.
pub fn decode_headers(file: &Bytes) -> Result<Vec<EntryHeaders>, HeadersError> {
    let mut rest = file.clone();
    let mut parts: Vec<EntryHeaders> = Vec::new();
    while !rest.is_empty() {
        let part = take_part(&mut rest).ok_or(HeadersError::CutOff(parts.len()))?;
        if parts.last().is_some_and(|before| before.place >= part.place) {
            return Err(HeadersError::Order(part.place));
        }
        parts.push(part);
    }
    Ok(parts)
}

fn take_part(rest: &mut Bytes) -> Option<EntryHeaders> {
    let fixed = take(rest, FIXED_BYTES)?;
    let [place, high, low] = *fixed else { return None };
    let count = u16::from_be_bytes([high, low]);
    let headers = (0..count).map(|_| take_header(rest)).collect::<Option<Vec<_>>>()?;
    Some(EntryHeaders { place, headers })
}

/// Nothing outside when it is cut off; nothing inside when the place is empty.
fn take_header(rest: &mut Bytes) -> Option<Option<Bytes>> {
    let length = take(rest, LENGTH_BYTES)?;
    let [high, low] = *length else { return None };
    let header = take(rest, u16::from_be_bytes([high, low]).into())?;
    Some(Some(header).filter(|header| !header.is_empty()))
}

fn take(rest: &mut Bytes, length: usize) -> Option<Bytes> {
    (rest.len() >= length).then(|| rest.split_to(length))
}

/// The file of headers beside a log is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadersError {
    /// A header is too long to be written.
    #[error("the header has {0} bytes, and the file takes at most 65535")]
    TooLong(usize),
    /// One entry has too many headers.
    #[error("an entry has {0} headers, and the file takes at most 65535")]
    TooMany(usize),
    /// The bytes end within a part.
    #[error("the file of headers ends in the middle of its part number {0}, counted from 0")]
    CutOff(usize),
    /// A part does not follow the one before it.
    #[error("the headers of entry {0} of the bundle come after those of a later entry")]
    Order(u8),
}

#[cfg(test)]
mod tests {
    use kuriiri_damage::any_damage;
    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    fn part(place: u8, headers: &[&'static str]) -> EntryHeaders {
        let header = |text: &&'static str| (!text.is_empty()).then(|| Bytes::from(*text));
        EntryHeaders { place, headers: headers.iter().map(header).collect() }
    }

    #[test]
    fn what_is_written_is_read_and_an_empty_place_stays_one() {
        let parts = [part(0, &["a", "", "bcd"]), part(7, &[]), part(255, &["e"])];
        let file = Bytes::from(encode_headers(&parts).unwrap());
        assert_eq!(file[..8], [0, 0, 3, 0, 1, b'a', 0, 0]);
        assert_eq!(decode_headers(&file), Ok(parts.to_vec()));
        assert_eq!(decode_headers(&Bytes::new()), Ok(vec![]));
    }

    #[test]
    fn a_file_that_is_cut_off_or_out_of_order_is_refused() {
        let parts = [part(1, &["ab", "c"]), part(3, &["d"])];
        let file = Bytes::from(encode_headers(&parts).unwrap());
        let ends = [0, 3 + 4 + 3, file.len()];
        for length in (0..file.len()).filter(|length| !ends.contains(length)) {
            let cut = decode_headers(&file.slice(..length));
            assert!(matches!(cut, Err(HeadersError::CutOff(_))), "{length}: {cut:?}");
        }
        for places in [[3, 1], [2, 2]] {
            let file = encode_headers(&places.map(|place| part(place, &["x"]))).unwrap();
            assert_eq!(decode_headers(&file.into()), Err(HeadersError::Order(places[1])));
        }
    }

    #[test]
    fn what_has_no_room_is_refused() {
        let long = EntryHeaders { place: 0, headers: vec![Some(vec![1; 65_536].into())] };
        assert_eq!(encode_headers(&[long]), Err(HeadersError::TooLong(65_536)));
        let many = EntryHeaders { place: 0, headers: vec![None; 65_536] };
        assert_eq!(encode_headers(&[many]), Err(HeadersError::TooMany(65_536)));
    }

    fn any_part() -> impl Strategy<Value = (u8, Vec<Option<Bytes>>)> {
        let header = vec(any::<u8>(), 1..300).prop_map(Bytes::from);
        (any::<u8>(), vec(option::of(header), 0..20))
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_refused_or_is_another_whole_one(
            parts in vec(any_part(), 0..8),
            damage in any_damage(),
        ) {
            let parts: std::collections::BTreeMap<u8, _> = parts.into_iter().collect();
            let parts: Vec<EntryHeaders> =
                parts.into_iter().map(|(place, headers)| EntryHeaders { place, headers }).collect();
            let whole = encode_headers(&parts).unwrap();
            let damaged = Bytes::from(damage.applied_to(&whole));
            if let Ok(read) = decode_headers(&damaged) {
                // Every byte is accounted for, so nothing comes out that did not go in.
                prop_assert_eq!(encode_headers(&read).unwrap(), damaged);
            }
        }
    }
}
