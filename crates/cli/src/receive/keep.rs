//! Keeping a body in a file: whole and durable before it is confirmed.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use kuriiri_client::Message;

/// Characters of a subject that go into a file's name.
const SUBJECT_CHARS_MAX: usize = 100;

/// Writes the body to `<id>-<subject>`. The same message again gives the same file, so that one
/// whose confirmation was lost is there once.
pub(super) fn write(folder: &Path, message: &Message) -> anyhow::Result<PathBuf> {
    let header = message.header();
    let name = match plain(&header.subject) {
        subject if subject.is_empty() => header.id.to_string(),
        subject => format!("{}-{subject}", header.id),
    };
    let (path, part) = (folder.join(&name), folder.join(format!(".{name}.part")));
    let write = || {
        let mut file = File::create(&part)?;
        file.write_all(message.body())?;
        file.sync_all()?;
        fs::rename(&part, &path)?;
        File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}

/// A subject as part of a file's name: no separators, no control characters, no leading dots, for
/// it comes from somebody else.
fn plain(subject: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "-_. ".contains(c) { c } else { '_' };
    let name: String = subject.chars().take(SUBJECT_CHARS_MAX).map(safe).collect();
    name.trim_start_matches(['.', ' ']).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_subject_cannot_leave_the_folder_or_hide() {
        assert_eq!(plain("malware--0a1b.json"), "malware--0a1b.json");
        assert_eq!(plain("../../etc/passwd"), "_.._etc_passwd");
        assert_eq!(plain(".bashrc"), "bashrc");
        assert_eq!(plain("a/b\\c\0d\n"), "a_b_c_d_");
        assert_eq!(plain("tilannekuva klo 6"), "tilannekuva klo 6");
        assert_eq!(plain(&"ä".repeat(300)).chars().count(), 100);
    }
}
