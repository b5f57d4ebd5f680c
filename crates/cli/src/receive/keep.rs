//! Keeping a body in a file: whole and durable before it is confirmed, under a name that no other has.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use kuriiri_types::MessageId;

use crate::{
    exit::Failure,
    files::{PRIVATE, create, unwritten},
};

/// Bytes of a file's name. File systems take 255; the rest is for whoever copies it to where names are
/// shorter, or longer by an ending. Reached: the subject is cut.
const NAME_BYTES_MAX: usize = 200;
/// Bytes of what tells files of one id and subject apart: `-` and a number.
const NUMBER_BYTES: usize = 5;
/// Messages with one id and subject, and other bodies, that are kept in one folder. More are no accident:
/// they stay in the mailbox.
const SAME_NAMES_MAX: u32 = 1000;

/// Writes the body to `<id>-<subject>`, or to that and a number where another stands already. The same body
/// again gives the same file, so that one whose confirmation was lost is there once.
pub(super) fn write(
    folder: &Path,
    id: MessageId,
    subject: &str,
    body: &[u8],
) -> Result<PathBuf, Failure> {
    let name = name(id, subject);
    for number in 1..=SAME_NAMES_MAX {
        let path = match number {
            1 => folder.join(&name),
            _ => folder.join(format!("{name}-{number}")),
        };
        if fs::symlink_metadata(&path).is_err() {
            match create(&path, body, PRIVATE) {
                Ok(()) => return Ok(path),
                // Somebody else was faster.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(unwritten(&path, error)),
            }
        }
        if holds(&path, body) {
            return Ok(path);
        }
    }
    let path = folder.join(&name);
    Err(unwritten(&path, io::Error::other("a thousand others have this name")))
}

/// Whether a file has exactly these bytes. One that cannot be read is another's.
fn holds(path: &Path, body: &[u8]) -> bool {
    let is_as_long = fs::symlink_metadata(path)
        .is_ok_and(|status| status.is_file() && u64::try_from(body.len()) == Ok(status.len()));
    is_as_long && fs::read(path).is_ok_and(|kept| kept == body)
}

/// The id, and of the subject what can stand in a file's name, for it comes from somebody else: no
/// separators, no control characters, nothing that hides.
fn name(id: MessageId, subject: &str) -> String {
    let mut name = format!("{id}-");
    let prefix = name.len();
    let safe = |c: char| if c.is_alphanumeric() || "-_. ".contains(c) { c } else { '_' };
    let subject = subject.chars().map(safe).collect::<String>();
    for c in subject.trim_start_matches(['.', ' ']).chars() {
        if name.len() + c.len_utf8() > NAME_BYTES_MAX - NUMBER_BYTES {
            break;
        }
        name.push(c);
    }
    let end = name.trim_end().len();
    name.truncate(if end == prefix { prefix - 1 } else { end });
    name
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use kuriiri_types::Timestamp;

    use super::*;

    fn id() -> MessageId {
        MessageId::new(Timestamp::from_millis(1_795_000_000_000), [1; 10])
    }

    /// What stands behind the id.
    fn plain(subject: &str) -> String {
        let name = name(id(), subject);
        name.strip_prefix(&id().to_string()).unwrap().trim_start_matches('-').to_owned()
    }

    #[test]
    fn a_subject_cannot_leave_the_folder_or_hide() {
        assert_eq!(plain("malware--0a1b.json"), "malware--0a1b.json");
        assert_eq!(plain("../../etc/passwd"), "_.._etc_passwd");
        assert_eq!(plain(".bashrc"), "bashrc");
        assert_eq!(plain("a/b\\c\0d\n"), "a_b_c_d_");
        assert_eq!(plain("a\u{1b}[2J\u{202e}b"), "a__2J_b");
        assert_eq!(plain("tilannekuva klo 6"), "tilannekuva klo 6");
        assert_eq!(plain("😀.pdf"), "_.pdf");
        for nothing in ["", "...", " . ."] {
            assert_eq!(name(id(), nothing), id().to_string(), "{nothing:?}");
        }
    }

    #[test]
    fn every_subject_gives_a_name_that_a_disk_takes() {
        let folder = tempfile::tempdir().unwrap();
        let subjects = ["情".repeat(80), "😀".repeat(60), "ä".repeat(127), ".".repeat(255)];
        for subject in subjects {
            let first = write(folder.path(), id(), &subject, subject.as_bytes()).unwrap();
            let second = write(folder.path(), id(), &subject, b"another").unwrap();
            for path in [first, second] {
                assert!(path.file_name().unwrap().len() <= NAME_BYTES_MAX, "{path:?}");
            }
        }
    }

    #[test]
    fn another_body_of_the_same_name_gets_its_own_and_the_same_body_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let keep = |body: &[u8]| write(folder.path(), id(), "note", body).unwrap();
        let (first, second, again) = (keep(b"first"), keep(b"other"), keep(b"first"));
        assert_eq!((fs::read(&first).unwrap(), &again), (b"first".to_vec(), &first));
        assert_eq!(fs::read(&second).unwrap(), b"other");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        let mode = fs::metadata(&first).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_link_in_the_folder_is_not_followed() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = elsewhere.path().join("target");
        fs::write(&target, b"body!").unwrap();
        std::os::unix::fs::symlink(&target, folder.path().join(name(id(), "note"))).unwrap();
        let kept = write(folder.path(), id(), "note", b"body!").unwrap();
        assert!(fs::symlink_metadata(&kept).unwrap().is_file(), "{kept:?}");
        write(folder.path(), id(), "note", b"other").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"body!");
    }
}
