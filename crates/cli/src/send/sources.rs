//! Where documents come from: looked at before anything is sent, and read as they are sent.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::{
    exit::Failure,
    system::{Below, Document, name_of},
};

/// Documents read and handed to the library at once: keeps its batches full and memory small.
const GROUP_MAX: usize = 256;
/// Bytes of documents read at once.
const GROUP_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Where a document comes from.
#[derive(Debug)]
pub(super) enum Source {
    File(PathBuf),
    StandardInput,
}

/// What could not be read although it could be opened a moment ago.
pub(super) struct Unread {
    pub(super) name: String,
    pub(super) why: String,
}

/// All documents of some files and folders, each file of a folder once. A file must open.
///
/// # Errors
/// All that is wrong, not only the first.
pub(super) fn look(files: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let (mut sources, mut faults) = (Vec::new(), Vec::new());
    for file in files {
        if file.as_os_str() == "-" {
            sources.push(Source::StandardInput);
        } else if file.is_dir() {
            let below = Below::look(file);
            faults.extend(below.faults);
            below.files.into_iter().for_each(|file| take(file, &mut sources, &mut faults));
        } else {
            take(file.clone(), &mut sources, &mut faults);
        }
    }
    if faults.is_empty() {
        return Ok(sources);
    }
    let listed = faults.iter().map(|(path, error)| format!("\n{}: {error}", path.display()));
    let count = faults.len();
    let what = if count == 1 { "one document".to_owned() } else { format!("{count} documents") };
    Err(Failure::usage(format!(
        "nothing was sent, because {what} cannot be read:{}",
        listed.collect::<String>()
    )))
}

fn take(file: PathBuf, sources: &mut Vec<Source>, faults: &mut Vec<(PathBuf, io::Error)>) {
    match opens(&file) {
        Ok(()) => sources.push(Source::File(file)),
        Err(error) => faults.push((file, error)),
    }
}

fn opens(file: &Path) -> io::Result<()> {
    // Opening a pipe would wait for whoever writes into it, and take a part of what is written.
    if fs::metadata(file)?.is_file() { fs::File::open(file).map(drop) } else { Ok(()) }
}

/// Reads the next documents, within bounds, and tells of those that cannot be read any more.
pub(super) fn read_group(
    sources: &mut impl Iterator<Item = Source>,
) -> (Vec<Document>, Vec<Unread>) {
    let (mut group, mut unread, mut bytes) = (Vec::new(), Vec::new(), 0);
    for source in sources {
        match read(&source) {
            Ok(document) => {
                bytes += document.body.len();
                group.push(document);
            }
            Err(error) => unread.push(Unread { name: source.name(), why: error.to_string() }),
        }
        if group.len() == GROUP_MAX || bytes >= GROUP_BYTES_MAX {
            break;
        }
    }
    (group, unread)
}

fn read(source: &Source) -> io::Result<Document> {
    match source {
        Source::File(path) => Ok(Document { name: name_of(path), body: fs::read(path)?.into() }),
        Source::StandardInput => {
            let mut body = Vec::new();
            io::stdin().read_to_end(&mut body)?;
            Ok(Document { name: String::new(), body: body.into() })
        }
    }
}

impl Source {
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::StandardInput => "standard input".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn all_faults_are_told_and_nothing_is_begun() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("folder")).unwrap();
        fs::write(at("folder/good"), "good").unwrap();
        assert_eq!(look(&[at("folder"), "-".into()]).unwrap().len(), 2);
        symlink("gone", at("folder/dangling")).unwrap();
        let failure = look(&[at("folder"), at("absent"), at("folder/good")]).unwrap_err();
        let told = failure.what();
        for said in ["nothing was sent", "2 documents", "folder/dangling: ", "absent: No such file"]
        {
            assert!(told.contains(said), "{said}: {told}");
        }
    }

    #[test]
    fn what_went_away_is_told_and_the_rest_is_read() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let mut sources = look(&[folder.path().to_owned()]).unwrap().into_iter();
        fs::remove_file(folder.path().join("b")).unwrap();
        let (group, unread) = read_group(&mut sources);
        assert_eq!(group.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        let [Unread { name, why }] = &unread[..] else { panic!("one") };
        assert!(name.ends_with("/b") && why.contains("No such file"), "{name}: {why}");
    }
}
