//! A look at the end of sled's log that changes nothing.
//!
//! sled's recovery takes the first record that fails its check in the last segments of its log
//! for the torn end of a crash, and overwrites what follows. Where acknowledged commits stand
//! behind such a record that would destroy them. So before sled may touch the file, the walk is done here, for reading
//! only: each commit leaves a mark in the log, and the last mark that recovery would reach must
//! not be older than the last commit that was acknowledged.
//!
//! The format is that of sled 0.34: segments of equal size, each with a checked header, a log
//! sequence number and the number up to which the log was stable when it was begun; in them
//! checked records, one after the other.

use std::{collections::BTreeMap, fs::File, io, os::unix::fs::FileExt};

use serde::{Deserialize, Serialize};

/// Bytes of one segment. A page over a quarter of it is spilled to `blobs/`. A leaf has at most
/// 17 records, and 20 for the moment in which a neighbour of 3 is merged into it; 20 records of
/// [`PACK_BYTES_MAX`](kuriiri_types::limits::PACK_BYTES_MAX) with their keys are 580 KiB, so
/// 2 MiB would not do. It cannot be changed later.
pub(crate) const SEGMENT_BYTES: usize = 4 * 1024 * 1024;

/// The same as a distance of log sequence numbers, which count bytes.
const SEGMENT_LSN: u64 = SEGMENT_BYTES as u64;

const SEGMENT_HEADER_BYTES: usize = 20;
/// No record begins in the last bytes of a segment, fewer than a record's header can have.
const RECORD_HEADER_BYTES_MAX: usize = 32;

/// The kinds of records that matter here.
const NOTHING: u8 = 0;
const SEGMENT_END: u8 = 2;
const BATCH: u8 = 3;
const NODE: u8 = 8;
const LINK: u8 = 10;
const KIND_MAX: u8 = 11;

/// The number of a commit in a form that can be found in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    sign: [u8; 8],
    number: [u8; 8],
    /// How often it was put. sled writes nothing where a value stays the same.
    put: u32,
}

impl Mark {
    const SIGN: [u8; 8] = *b"\xC7kuriiri";

    /// The mark of a commit.
    pub(crate) fn new(number: u64) -> Self {
        Self { sign: Self::SIGN, number: number.to_be_bytes(), put: 0 }
    }

    /// The mark of the same commit, put once more.
    pub(crate) fn again(self) -> Self {
        Self { put: self.put.wrapping_add(1), ..self }
    }

    /// The commit's number.
    pub(crate) fn number(self) -> u64 {
        u64::from_be_bytes(self.number)
    }

    /// The highest number of all marks in some bytes. A message could hold a false one, which
    /// can only make the damage show later.
    fn highest(bytes: &[u8]) -> Option<u64> {
        let numbers = bytes.windows(16).filter_map(|window| {
            let (sign, number) = window.split_first_chunk()?;
            let number = u64::from_be_bytes(number.try_into().ok()?);
            (*sign == Self::SIGN).then_some(number)
        });
        numbers.max()
    }
}

/// The number of the last commit that recovery would reach; 0 when it would reach nothing.
/// Nothing when the end of the log alone does not say, as when recovery has nothing to do, or
/// after one commit of many segments.
///
/// The snapshot is the position up to which an earlier recovery noted what the log holds.
pub(crate) fn last_commit(file: &File, snapshot: u64) -> io::Result<Option<u64>> {
    let segments = segments(file)?;
    if segments.is_empty() {
        return Ok(Some(0));
    }
    let noted = start_of_segment(snapshot);
    let stable = segments.range(noted..).map(|(_, segment)| segment.stable).max();
    // From here on recovery takes a missing segment or a torn record for the end of the log.
    let tail = start_of_segment(stable.unwrap_or(0)).max(noted);
    let mut walk = Walk::default();
    // One segment more, as the tail may be too short to have a mark; but recovery does not mind
    // whether it is whole, so it counts only if it is.
    let before = tail.checked_sub(SEGMENT_LSN).and_then(|lsn| segments.get(&lsn));
    if let Some(before) = before
        && !walk.segment(file, before)?
    {
        walk = Walk::default();
    }
    let mut lsn = tail;
    while let Some(segment) = segments.get(&lsn) {
        if !walk.segment(file, segment)? {
            break;
        }
        lsn += SEGMENT_LSN;
    }
    if tail.max(snapshot) > noted && !segments.contains_key(&tail) {
        return Ok(Some(walk.last().unwrap_or(0)));
    }
    Ok(walk.last())
}

fn start_of_segment(lsn: u64) -> u64 {
    lsn / SEGMENT_LSN * SEGMENT_LSN
}

/// A segment with an intact header.
#[derive(Debug, Clone, Copy)]
struct Segment {
    offset: u64,
    lsn: u64,
    stable: u64,
}

/// All segments by their log sequence numbers.
fn segments(file: &File) -> io::Result<BTreeMap<u64, Segment>> {
    let len = file.metadata()?.len();
    let mut segments = BTreeMap::new();
    for offset in (0..len).step_by(SEGMENT_BYTES) {
        let mut header = [0; SEGMENT_HEADER_BYTES];
        match file.read_exact_at(&mut header, offset) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            other => other?,
        }
        if let Some(segment) = segment(&header, offset) {
            segments.insert(segment.lsn, segment);
        }
    }
    Ok(segments)
}

fn segment(header: &[u8], offset: u64) -> Option<Segment> {
    let (crc, rest) = header.split_first_chunk()?;
    let (lsn, stable) = rest.split_first_chunk()?;
    let (stable, _) = stable.split_first_chunk()?;
    let intact = u32::from_le_bytes(*crc) == crc32(&[rest]);
    intact.then_some(Segment { offset, lsn: position(*lsn), stable: position(*stable) })
}

/// sled stores a position with all bits but the sign turned, so that zeros are not a header. It
/// is -1 where nothing was stable yet.
fn position(stored: [u8; 8]) -> u64 {
    u64::try_from(i64::from_le_bytes(stored) ^ i64::MAX).unwrap_or(0)
}

/// What a walk along the log has seen.
#[derive(Debug, Default)]
struct Walk {
    /// The highest mark.
    last: Option<u64>,
    /// The same before the batch that began last.
    before_batch: Option<u64>,
    /// Position of the last record of that batch.
    batch_ends: u64,
    /// Position after the last intact record.
    end: u64,
}

impl Walk {
    /// The highest mark, but not of a batch that is torn: recovery drops all of it.
    fn last(&self) -> Option<u64> {
        if self.end > self.batch_ends { self.last } else { self.before_batch }
    }

    /// Walks the records of a segment. False when the log ends in it.
    fn segment(&mut self, file: &File, segment: &Segment) -> io::Result<bool> {
        let bytes = read_segment(file, segment.offset)?;
        let number = segment.lsn / SEGMENT_LSN;
        let mut at = SEGMENT_HEADER_BYTES;
        while at <= SEGMENT_BYTES - RECORD_HEADER_BYTES_MAX {
            self.end = segment.lsn + at as u64;
            let record = bytes.get(at..).and_then(|bytes| Record::read(bytes, number));
            let Some(record) = record else {
                return Ok(false);
            };
            if record.kind == SEGMENT_END {
                break;
            }
            self.record(&record);
            at += record.len;
        }
        self.end = segment.lsn + SEGMENT_LSN;
        Ok(true)
    }

    fn record(&mut self, record: &Record<'_>) {
        match record.kind {
            BATCH => {
                self.before_batch = self.last;
                self.batch_ends = record.body.try_into().map_or(u64::MAX, u64::from_le_bytes);
            }
            NODE | LINK => self.last = self.last.max(Mark::highest(record.body)),
            _ => {}
        }
    }
}

/// A segment, or what there is of it.
fn read_segment(file: &File, offset: u64) -> io::Result<Vec<u8>> {
    let left = file.metadata()?.len().saturating_sub(offset);
    let len = usize::try_from(left).map_or(SEGMENT_BYTES, |left| left.min(SEGMENT_BYTES));
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

/// A record of the log that passed its check.
struct Record<'a> {
    kind: u8,
    body: &'a [u8],
    /// Bytes of header and body.
    len: usize,
}

impl<'a> Record<'a> {
    fn read(bytes: &'a [u8], segment: u64) -> Option<Self> {
        let (crc, checked) = bytes.split_first_chunk()?;
        let (&kind, rest) = checked.split_first()?;
        let (body_len, rest) = varint(rest)?;
        let (number, rest) = varint(rest)?;
        let (_page, rest) = varint(rest)?;
        let header = checked.get(..checked.len() - rest.len())?;
        let body = rest.get(..usize::try_from(body_len).ok()?)?;
        let intact = u32::from_le_bytes(*crc) == crc32(&[body, header]);
        let known = kind != NOTHING && kind <= KIND_MAX && number == segment;
        (intact && known).then_some(Self { kind, body, len: crc.len() + header.len() + body.len() })
    }
}

/// sled's number of 1 to 9 bytes, and what follows it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let byte = |at: usize| rest.get(at).copied().map(u64::from);
    let (number, len) = match first {
        0..=240 => (first.into(), 0),
        241..=248 => (240 + 256 * u64::from(first - 241) + byte(0)?, 1),
        249 => (2288 + 256 * byte(0)? + byte(1)?, 2),
        250..=255 => {
            let len = usize::from(first) - 247;
            let low_first = rest.get(..len)?.iter().rev();
            (low_first.fold(0, |number, byte| number << 8 | u64::from(*byte)), len)
        }
    };
    Some((number, rest.get(len..)?))
}

/// CRC-32 (IEEE 802.3) over the parts, without the complement at the end, as sled stores it.
fn crc32(parts: &[&[u8]]) -> u32 {
    let bytes = parts.iter().copied().flatten();
    bytes.fold(u32::MAX, |crc, byte| {
        let [low, ..] = (crc ^ u32::from(*byte)).to_le_bytes();
        let turned = CRC_TABLE.get(usize::from(low)).copied().unwrap_or(0);
        crc >> 8 ^ turned
    })
}

static CRC_TABLE: [u32; 256] = crc_table();

#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "runs at compile time"
)]
const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = at as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_crc_catalogue() {
        assert_eq!(!crc32(&[b"1234", b"56789"]), 0xCBF4_3926);
    }

    #[test]
    fn numbers_of_every_length() {
        for (bytes, number) in [
            (&[240][..], 240),
            (&[241, 0], 240),
            (&[248, 255], 2287),
            (&[249, 0, 0], 2288),
            (&[249, 255, 255], 67_823),
            (&[250, 0xF0, 0x08, 0x01], 67_824),
            (&[255, 1, 2, 3, 4, 5, 6, 7, 8], 0x0807_0605_0403_0201),
        ] {
            let longer = [bytes, &[9]].concat();
            assert_eq!(varint(&longer), Some((number, &[9][..])));
            assert_eq!(varint(&bytes[..bytes.len() - 1]), None);
        }
    }

    #[test]
    fn a_mark_is_found_where_it_stands() {
        let stored = |number| crate::value::encode(&Mark::new(number)).unwrap();
        let bytes = [b"..", stored(3).as_slice(), b"", &stored(9), b"....", &stored(8)].concat();
        assert_eq!(Mark::highest(&bytes), Some(9));
        assert_eq!(Mark::highest(&bytes[..18]), None);
        assert_eq!(Mark::highest(&bytes[..19]), Some(3));
    }
}
