//! What a journal keeps, and what it takes for damage.

use super::*;

fn changes(number: u64) -> Changes {
    let value = Bytes::from(vec![u8::try_from(number % 251).unwrap(); 100]);
    Changes::from([
        (number.to_be_bytes().to_vec(), Some(value)),
        (b"gone".to_vec(), None),
        (b"empty".to_vec(), Some(Bytes::new())),
    ])
}

fn numbers(read: &[Recorded]) -> Vec<u64> {
    read.iter().map(|recorded| recorded.number).collect()
}

/// A journal with commits 1 to 5, turned after the third.
fn five(dir: &Path) -> [PathBuf; 2] {
    let mut journal = Journal::begin(dir, 0, true).unwrap();
    (1..=3).for_each(|number| journal.append(number, &changes(number)).unwrap());
    let old = journal.turn(3, false).unwrap();
    (4..=5).for_each(|number| journal.append(number, &changes(number)).unwrap());
    [old, journal.path]
}

#[test]
fn what_was_appended_is_read_in_order_from_any_commit_on() {
    let dir = tempfile::tempdir().unwrap();
    five(dir.path());
    let all = read(dir.path(), 0, 5).unwrap();
    assert_eq!(numbers(&all), [1, 2, 3, 4, 5]);
    assert_eq!(all[3].changes, changes(4));
    assert_eq!(numbers(&read(dir.path(), 2, 5).unwrap()), [3, 4, 5]);
    assert_eq!(numbers(&read(dir.path(), 5, 5).unwrap()), []);
    assert!(read(&dir.path().join("none"), 7, 7).unwrap().is_empty());
}

#[test]
fn a_torn_end_is_left_out_unless_it_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let [_, last] = five(dir.path());
    let whole = fs::read(&last).unwrap();
    let record = encode(3, 4, &changes(4)).unwrap().len();
    let end = HEAD_BYTES + 2 * record;
    for length in [end - 1, end - record / 2, end - record + 3, end - record] {
        fs::write(&last, &whole[..length]).unwrap();
        assert_eq!(numbers(&read(dir.path(), 0, 4).unwrap()), [1, 2, 3, 4]);
        assert!(matches!(read(dir.path(), 0, 5), Err(Fault::Damaged(..))));
    }
}

#[test]
fn every_flipped_byte_of_an_acknowledged_record_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let [first, last] = five(dir.path());
    for path in [first, last] {
        let whole = fs::read(&path).unwrap();
        let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
        for at in (0..=used).filter(|at| !(24..HEAD_BYTES).contains(at)) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, &bytes).unwrap();
            let damaged = read(dir.path(), 0, 5);
            assert!(matches!(damaged, Err(Fault::Damaged(..))), "{path:?} {at}");
        }
        fs::write(&path, whole).unwrap();
    }
}

#[test]
fn a_record_behind_a_bad_one_tells_of_damage_whatever_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let [first, _] = five(dir.path());
    let mut bytes = fs::read(&first).unwrap();
    bytes[HEAD_BYTES + RECORD_HEAD_BYTES + 30] ^= 1;
    fs::write(&first, bytes).unwrap();
    assert!(matches!(read(dir.path(), 0, 0), Err(Fault::Damaged(..))));
}

#[test]
fn a_file_that_is_missing_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let [first, last] = five(dir.path());
    fs::remove_file(&first).unwrap();
    assert!(matches!(read(dir.path(), 0, 5), Err(Fault::Damaged(..))));
    assert_eq!(numbers(&read(dir.path(), 3, 5).unwrap()), [4, 5], "sled has the others");
    fs::remove_file(&last).unwrap();
    assert!(matches!(read(dir.path(), 3, 5), Err(Fault::Damaged(..))));
}

/// Cut off anywhere, with what was there before behind it.
#[test]
fn a_file_that_is_used_again_shows_nothing_of_before() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::begin(dir.path(), 0, true).unwrap();
    (1..=6).for_each(|number| journal.append(number, &changes(number)).unwrap());
    end(&journal.turn(6, false).unwrap(), false).unwrap();
    // The next file is the spare one; the one that is turned away from had no commit.
    let empty = journal.turn(6, false).unwrap();
    assert!(empty == journal.path && !dir.path().join(SPARE).exists());
    assert_eq!(journal.ahead, AHEAD_BYTES, "its room is there already");
    let before = fs::read(&journal.path).unwrap();
    assert!(read(dir.path(), 6, 6).unwrap().is_empty());
    (7..=9).for_each(|number| journal.append(number, &changes(number)).unwrap());
    assert_eq!(numbers(&read(dir.path(), 6, 9).unwrap()), [7, 8, 9]);
    let after = fs::read(&journal.path).unwrap();
    let record = encode(6, 7, &changes(7)).unwrap().len();
    for written in 0..HEAD_BYTES + 3 * record {
        let torn = [&after[..written], &before[written..]].concat();
        fs::write(&journal.path, &torn).unwrap();
        // Bytes that are the same as before are there already.
        let is_whole = |n: &usize| {
            let end = HEAD_BYTES + n * record;
            torn.get(..end) == after.get(..end)
        };
        let whole = (0..=3).rev().find(is_whole).unwrap_or(0);
        assert_eq!(numbers(&read(dir.path(), 6, 6).unwrap()), [7, 8, 9][..whole], "{written}");
    }
}

#[test]
fn a_file_that_is_begun_again_shows_nothing_of_before() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::begin(dir.path(), 0, true).unwrap();
    journal.append(1, &changes(1)).unwrap();
    drop(journal);
    let mut journal = Journal::begin(dir.path(), 0, true).unwrap();
    assert!(journal.is_empty() && read(dir.path(), 0, 0).unwrap().is_empty());
    while !journal.is_full() {
        let big = Changes::from([(b"k".to_vec(), Some(Bytes::from(vec![1; 3_000_000])))]);
        let number = 1 + numbers(&read(dir.path(), 0, 0).unwrap()).len() as u64;
        journal.append(number, &big).unwrap();
    }
    assert_eq!(numbers(&read(dir.path(), 0, 6).unwrap()), [1, 2, 3, 4, 5, 6]);
}
