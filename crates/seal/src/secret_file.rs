//! A private key in a file that is nobody else's to read.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::Path,
};

use kuriiri_types::limits::SECRET_FILE_BYTES_MAX;
use rustix::{
    fs::{Mode, OFlags, open},
    process::geteuid,
};
use zeroize::Zeroizing;

/// Bits of a file's mode that let others than its owner at it.
const OTHERS: u32 = 0o077;
/// Who may do all of this anyway.
const ROOT: u32 = 0;

/// Reads the text of a private key from a file that its owner alone may read: the user of this process, or root.
///
/// The file is opened once, and what is judged is what was opened: whatever gets its name in between is not read.
/// A link is followed, because those who hand out secrets (`/run/secrets`, Kubernetes) put links where programs
/// look for them; by its owner and its mode the file behind it was put there by nobody else. Nothing waits: a pipe is
/// no file. The text is overwritten in memory when it is dropped.
///
/// # Errors
/// When the file cannot be read, is no file, is another user's or open to others, is larger than
/// [`SECRET_FILE_BYTES_MAX`], or is no text. What stands in it is in no error.
pub fn read_secret(file: &Path) -> Result<Zeroizing<String>, SecretFileError> {
    // Without waiting, because opening a pipe waits for who writes into it.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = open(file, flags, Mode::empty()).map_err(io::Error::from)?;
    let opened = File::from(opened);
    let found = opened.metadata()?;
    if !found.is_file() {
        return Err(SecretFileError::NotAFile);
    }
    judge(found.uid(), found.mode(), geteuid().as_raw())?;
    // Room for all of it at once, so that no half of a secret is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_FILE_BYTES_MAX + 1));
    let most = u64::try_from(SECRET_FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    opened.take(most).read_to_end(&mut bytes)?;
    if bytes.len() > SECRET_FILE_BYTES_MAX {
        return Err(SecretFileError::TooLong);
    }
    let text = str::from_utf8(&bytes).map_err(|_| SecretFileError::NotText)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Whether a file of this owner and mode is for this user to read, and for nobody else.
fn judge(owner: u32, mode: u32, user: u32) -> Result<(), SecretFileError> {
    if ![user, ROOT].contains(&owner) {
        return Err(SecretFileError::Foreign(owner));
    }
    if mode & OTHERS != 0 {
        return Err(SecretFileError::Open);
    }
    Ok(())
}

/// Why a file is not where a private key may be. Each is the operator's to correct.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// It cannot be opened or read.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is a folder, a pipe, or a device.
    #[error("this is no file")]
    NotAFile,
    /// It belongs to somebody who could put another key in its place.
    #[error(
        "this key belongs to the user with id {0}; give it to the user that runs this program, or to root"
    )]
    Foreign(u32),
    /// Others than its owner can read it.
    #[error("others than its owner can read this key; set its mode to 0600")]
    Open,
    /// It is larger than any key.
    #[error("this file has more than {SECRET_FILE_BYTES_MAX} bytes, which no key has")]
    TooLong,
    /// It is no text.
    #[error("this file is no text")]
    NotText,
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{PermissionsExt, symlink},
    };

    use rustix::fs::{CWD, FileType, mknodat};

    use super::*;

    #[test]
    fn a_key_is_read_from_a_file_of_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (key, link) = (dir.path().join("key"), dir.path().join("link"));
        fs::write(&key, "secret").unwrap();
        symlink(&key, &link).unwrap();
        let set = |mode| fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
        for mode in [0o600, 0o400] {
            set(mode);
            assert_eq!(read_secret(&key).unwrap().as_str(), "secret");
            assert_eq!(read_secret(&link).unwrap().as_str(), "secret");
        }
        for mode in [0o640, 0o604, 0o610] {
            set(mode);
            for place in [&key, &link] {
                assert!(matches!(read_secret(place), Err(SecretFileError::Open)), "{mode:o}");
            }
        }
    }

    #[test]
    fn another_users_file_is_no_key() {
        let (ours, theirs) = (1000, 1001);
        assert!(judge(ours, 0o600, ours).is_ok() && judge(ROOT, 0o400, ours).is_ok());
        let foreign = judge(theirs, 0o600, ours);
        assert!(matches!(foreign, Err(SecretFileError::Foreign(1001))), "{foreign:?}");
        assert!(judge(theirs, 0o600, ROOT).is_err());
    }

    #[test]
    fn what_is_no_file_or_no_key_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name);
        let mode = Mode::from_raw_mode(0o600);
        mknodat(CWD, place("pipe"), FileType::Fifo, mode, 0).unwrap();
        symlink(place("pipe"), place("link")).unwrap();
        fs::create_dir(place("folder")).unwrap();
        for name in ["pipe", "link", "folder"] {
            let refused = read_secret(&place(name));
            assert!(matches!(refused, Err(SecretFileError::NotAFile)), "{name}: {refused:?}");
        }
        let write = |name: &str, bytes: &[u8]| {
            fs::write(place(name), bytes).unwrap();
            fs::set_permissions(place(name), Permissions::from_mode(0o600)).unwrap();
            read_secret(&place(name))
        };
        let most = vec![b'x'; SECRET_FILE_BYTES_MAX];
        assert_eq!(write("most", &most).unwrap().len(), SECRET_FILE_BYTES_MAX);
        assert!(matches!(
            write("more", &[&most[..], b"x"].concat()),
            Err(SecretFileError::TooLong)
        ));
        assert!(matches!(write("bytes", &[0xff]), Err(SecretFileError::NotText)));
        assert!(matches!(read_secret(&place("absent")), Err(SecretFileError::Io(_))));
    }
}
