//! The files of a label policy in a folder, or as a running relay has them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use kuriiri_policy::{Catalogue, Federation, Policy, PolicyError, Rules, Sources, Translation};
use kuriiri_types::{Code, FileKind, Timestamp};
use serde::Deserialize;

use crate::exit::Failure;

/// What a ministry's own file of rules is called: rules in it can only tighten.
const LOCAL: &str = "local";

/// One file of a policy.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) kind: FileKind,
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// The text of its file of signatures, if it has one.
    pub(crate) signatures: Option<String>,
}

/// What a file says of itself.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) serial: u64,
    pub(crate) issued: Option<Timestamp>,
    pub(crate) expires: Option<Timestamp>,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Files(pub(crate) Vec<File>);

#[derive(Deserialize)]
struct Head {
    format: Option<String>,
}

impl File {
    /// Reads a file if it is one of a policy.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, Failure> {
        let text = fs::read_to_string(path).map_err(|error| failure(path, error))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let signatures = fs::read_to_string(signatures_of(path)).ok();
        let head: Head = match toml::from_str(&text) {
            Ok(head) => head,
            Err(error) => return Err(failure(path, error)),
        };
        let kind = head.format.as_deref().and_then(kind_of);
        Ok(kind.map(|kind| Self { kind, name, path: path.to_owned(), text, signatures }))
    }

    /// True for rules of a ministry itself.
    fn is_local(&self) -> bool {
        self.kind == FileKind::Rules && self.name.starts_with(LOCAL)
    }

    fn parse<T>(&self, parse: impl Fn(&str) -> Result<T, PolicyError>) -> Result<T, Failure> {
        parse(&self.text).map_err(|error| Failure::new(error.code(), in_file(&self.path, error)))
    }

    /// What it says of itself.
    pub(crate) fn about(&self) -> Result<About, Failure> {
        Ok(match self.kind {
            FileKind::Catalogue => {
                let file = self.parse(Catalogue::parse)?;
                let (issued, expires) = (Some(file.issued()), Some(file.expires()));
                About { serial: file.serial(), issued, expires }
            }
            FileKind::Federation => {
                let file = self.parse(Federation::parse)?;
                About { serial: file.serial(), issued: file.issued(), expires: file.expires() }
            }
            FileKind::Rules => {
                let file = self.parse(Rules::parse)?;
                About { serial: file.serial(), issued: file.issued(), expires: file.expires() }
            }
            FileKind::Translation => {
                let file = self.parse(Translation::parse)?;
                About { serial: file.serial(), issued: file.issued(), expires: file.expires() }
            }
        })
    }
}

impl Files {
    /// Every file of a policy in a folder; other files are passed over.
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        let entries = fs::read_dir(folder).map_err(|error| failure(folder, error))?;
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| failure(folder, error))?.path();
            if path.extension().is_some_and(|ending| ending == "toml") && path.is_file() {
                paths.push(path);
            }
        }
        paths.sort();
        let mut files = Vec::new();
        for path in paths {
            files.extend(File::read(&path)?);
        }
        Ok(Self(files))
    }

    /// The files, each read for itself.
    pub(crate) fn sources(&self) -> Result<Sources, Failure> {
        let shared = |file: &&File| file.kind == FileKind::Rules && !file.is_local();
        let of = |kind| self.0.iter().filter(move |file| file.kind == kind);
        Ok(Sources {
            catalogues: all(of(FileKind::Catalogue), Catalogue::parse)?,
            federation: self
                .one(of(FileKind::Federation), "federation file")?
                .parse(Federation::parse)?,
            rules: self.one(self.0.iter().filter(shared), "file of rules")?.parse(Rules::parse)?,
            local: all(self.0.iter().filter(|file| file.is_local()), Rules::parse)?,
            translations: all(of(FileKind::Translation), Translation::parse)?,
        })
    }

    /// All of them fitted together.
    pub(crate) fn policy(&self) -> Result<Policy, Failure> {
        let compiled = Policy::compile(self.sources()?);
        compiled.map_err(|error| Failure::new(Code::POLICY_LINT, error))
    }

    fn one<'a>(
        &self,
        mut files: impl Iterator<Item = &'a File>,
        what: &str,
    ) -> Result<&'a File, Failure> {
        match (files.next(), files.next()) {
            (Some(file), None) => Ok(file),
            (None, _) => Err(wrong(format!("there is no {what}"))),
            (Some(one), Some(other)) => {
                let (one, other) = (&one.name, &other.name);
                let hint = "a ministry's own rules are in files whose names begin with `local`";
                Err(wrong(format!("`{one}` and `{other}` are both a {what}; {hint}")))
            }
        }
    }
}

/// The file of signatures beside a file.
pub(crate) fn signatures_of(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".sig");
    file.with_file_name(name)
}

/// The kind of file whose `format` this is.
pub(crate) fn kind_of(format: &str) -> Option<FileKind> {
    FileKind::ALL.into_iter().find(|kind| kind.format() == format)
}

fn all<'a, T>(
    files: impl Iterator<Item = &'a File>,
    parse: impl Fn(&str) -> Result<T, PolicyError>,
) -> Result<Vec<T>, Failure> {
    files.map(|file| file.parse(&parse)).collect()
}

fn wrong(what: String) -> Failure {
    Failure::new(Code::POLICY_FILE, anyhow::Error::msg(what))
}

fn failure(path: &Path, error: impl Into<anyhow::Error>) -> Failure {
    Failure::new(Code::POLICY_FILE, in_file(path, error))
}

fn in_file(path: &Path, error: impl Into<anyhow::Error>) -> anyhow::Error {
    error.into().context(path.display().to_string())
}
