//! The signed files of a relay: catalogues, federation, rules and translations, each with its
//! signatures beside it.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use kuriiri_merkle::digest;
use kuriiri_policy::{
    Catalogue, Federation, FileId, Finding, Policy, PolicyError, Rules, Sources, Translation,
    TrialOutcome, TrialResult,
};
use kuriiri_seal::{PinnedSigners, VerifiedFile};
use kuriiri_types::{Code, Digest, FileKind, Timestamp};

use crate::error::ConfigError;

/// What the file of signatures is called behind the name of its file.
const SIGNATURES: &str = ".sig";
/// What a file is called that is accepted and not yet in its place.
const NEXT: &str = ".next";

/// What a signed file is to a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Part {
    Federation,
    Catalogue,
    Rules,
    /// Rules of the ministry itself.
    LocalRules,
    Translation,
}

impl Part {
    pub(crate) fn kind(self) -> FileKind {
        match self {
            Self::Federation => FileKind::Federation,
            Self::Catalogue => FileKind::Catalogue,
            Self::Rules | Self::LocalRules => FileKind::Rules,
            Self::Translation => FileKind::Translation,
        }
    }
}

/// The persons who may sign each part.
pub(crate) type Signers = BTreeMap<Part, PinnedSigners>;

/// One signed file.
#[derive(Debug, Clone)]
pub(crate) struct SignedFile {
    pub(crate) part: Part,
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) signatures: String,
    /// The digest of the one that was in force last, as the record has it.
    in_force: Option<String>,
}

/// All of a relay's, in the order of its configuration.
#[derive(Debug, Clone)]
pub(crate) struct SignedFiles(pub(crate) Vec<SignedFile>);

/// What signed files come to together.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) policy: Policy,
    /// In the order of the files.
    pub(crate) versions: Vec<FileVersion>,
}

/// What a signed file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileVersion {
    /// Which of the relay's files it is.
    pub(crate) id: FileId,
    pub(crate) name: String,
    pub(crate) serial: u64,
    pub(crate) digest: Digest,
    pub(crate) expires: Option<Timestamp>,
}

impl SignedFile {
    /// Reads a file and its signatures. One that was accepted before and has not yet taken its
    /// place, by the digest that is on record, counts as in its place.
    pub(crate) fn read(
        part: Part,
        path: PathBuf,
        recorded: Option<&str>,
    ) -> Result<Self, ConfigError> {
        let next = beside(&path, NEXT);
        let accepted = fs::read_to_string(&next).ok();
        let accepted =
            accepted.filter(|text| Some(digest(text.as_bytes()).to_string().as_str()) == recorded);
        let (text, signatures) = match accepted {
            Some(text) => (text, read_first(&[signatures_of(&next), signatures_of(&path)])?),
            None => (
                read(&path, Code::POLICY_FILE)?,
                read(&signatures_of(&path), Code::POLICY_SIGNATURE)?,
            ),
        };
        let in_force = recorded.map(str::to_owned);
        Ok(Self { part, path, text, signatures, in_force })
    }

    /// The name by which people and programs speak of it.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    pub(crate) fn digest(&self) -> Digest {
        digest(self.text.as_bytes())
    }

    /// Checks who signed it.
    pub(crate) fn verify(
        &self,
        signers: &PinnedSigners,
        now: Timestamp,
    ) -> Result<VerifiedFile, ConfigError> {
        let verified =
            signers.verify(self.part.kind(), self.text.as_bytes(), &self.signatures, now);
        let wrong = |what: String| ConfigError::new(&self.path, Code::POLICY_SIGNATURE, what);
        let mut verified = verified.map_err(|error| wrong(error.to_string()))?;
        if self.in_force.as_deref() == Some(self.digest().to_string().as_str()) {
            // Its signatures counted when it was put in force: a network must not die with a certificate.
            verified = verified.as_it_was_signed();
        }
        if verified.signers().is_empty() {
            let mut what = "nobody who may sign such a file has signed it".to_owned();
            let lapsed: Vec<_> = verified.lapsed().map(ToString::to_string).collect();
            if !lapsed.is_empty() {
                let who = lapsed.join(", ");
                what =
                    format!("{what} with a certificate that is valid now; {who} did with another");
            }
            return Err(wrong(what));
        }
        Ok(verified)
    }

    /// Writes it beside its place, durably.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        let next = beside(&self.path, NEXT);
        write_synced(&signatures_of(&next), &self.signatures)?;
        write_synced(&next, &self.text)
    }

    /// Moves it into its place if it is beside it: the signatures first, so that wherever this
    /// stops the next start finds a pair that fits.
    pub(crate) fn settle(&self) -> io::Result<()> {
        let next = beside(&self.path, NEXT);
        for (from, to) in
            [(signatures_of(&next), signatures_of(&self.path)), (next, self.path.clone())]
        {
            match fs::rename(&from, &to) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        sync_folder(&self.path)
    }

    /// Removes what was beside its place and never accepted.
    pub(crate) fn discard(&self) {
        let next = beside(&self.path, NEXT);
        for left in [signatures_of(&next), next] {
            // What is not there needs no removing, and what stays is not in force.
            let _ = fs::remove_file(left);
        }
    }

    fn parse<T>(&self, parse: impl Fn(&str) -> Result<T, PolicyError>) -> Result<T, ConfigError> {
        parse(&self.text).map_err(|error| ConfigError::new(&self.path, error.code(), error))
    }

    fn version(&self, id: FileId, serial: u64, expires: Option<Timestamp>) -> FileVersion {
        FileVersion { id, name: self.name(), serial, digest: self.digest(), expires }
    }
}

impl SignedFiles {
    /// The same files, with others in the place of those of the same name.
    pub(crate) fn with(
        &self,
        offered: &[(FileKind, String, Bytes, String)],
    ) -> Result<Self, String> {
        let mut files = self.0.clone();
        for (kind, name, bytes, signatures) in offered {
            let known = files.iter_mut().find(|file| file.name() == *name);
            let file = known.ok_or_else(|| format!("this relay has no file `{name}`"))?;
            if file.part.kind() != *kind {
                return Err(format!("`{name}` is of another kind here"));
            }
            let text = std::str::from_utf8(bytes).map_err(|_| format!("`{name}` is no text"))?;
            text.clone_into(&mut file.text);
            file.signatures.clone_from(signatures);
        }
        Ok(Self(files))
    }

    /// Reads all of them and fits them together.
    pub(crate) fn compile(&self) -> Result<Compiled, ConfigError> {
        let mut versions = Vec::with_capacity(self.0.len());
        let (mut catalogues, mut local, mut translations) = (Vec::new(), Vec::new(), Vec::new());
        let (mut federation, mut rules) = (None, None);
        for file in &self.0 {
            versions.push(match file.part {
                Part::Catalogue => {
                    let catalogue = file.parse(Catalogue::parse)?;
                    let (id, expires) = (FileId::catalogue(&catalogue), catalogue.expires());
                    let version = file.version(id, catalogue.serial(), Some(expires));
                    catalogues.push(catalogue);
                    version
                }
                Part::Federation => {
                    let parsed = federation.insert(file.parse(Federation::parse)?);
                    file.version(FileId::federation(), parsed.serial(), parsed.expires())
                }
                Part::Rules => {
                    let parsed = rules.insert(file.parse(Rules::parse)?);
                    file.version(FileId::rules(), parsed.serial(), parsed.expires())
                }
                Part::LocalRules => {
                    let (id, parsed) = (FileId::own_rules(&file.name()), file.parse(Rules::parse)?);
                    let version = file.version(id, parsed.serial(), parsed.expires());
                    local.push(parsed);
                    version
                }
                Part::Translation => {
                    let parsed = file.parse(Translation::parse)?;
                    let id = FileId::translation(&file.name());
                    let version = file.version(id, parsed.serial(), None);
                    translations.push(parsed);
                    version
                }
            });
        }
        let (Some(federation), Some(rules)) = (federation, rules) else {
            let what = "there must be a federation and rules";
            return Err(ConfigError::new("", Code::POLICY_FILE, what));
        };
        let sources = Sources { catalogues, federation, rules, local, translations };
        let policy = self.fit(sources)?;
        Ok(Compiled { policy, versions })
    }

    fn fit(&self, sources: Sources) -> Result<Policy, ConfigError> {
        let rules = self.0.iter().find(|file| file.part == Part::Rules);
        let path = rules.map(|file| file.path.clone()).unwrap_or_default();
        let wrong = |code, what: &dyn ToString| ConfigError::new(&path, code, what.to_string());
        let policy = Policy::compile(sources).map_err(|error| wrong(Code::POLICY_LINT, &error))?;
        let serious = policy.findings().into_iter().filter(Finding::is_serious);
        let serious: Vec<String> = serious.map(|finding| finding.to_string()).collect();
        if !serious.is_empty() {
            return Err(wrong(Code::POLICY_LINT, &serious.join("; ")));
        }
        let report = policy.run_tests();
        let failed: Vec<String> = report.not_held().map(failure).collect();
        if !failed.is_empty() {
            return Err(wrong(Code::POLICY_TESTS, &failed.join("; ")));
        }
        Ok(policy)
    }
}

/// What a test that a file carries expects and does not get.
fn failure(result: &TrialResult) -> String {
    let what = match &result.outcome {
        TrialOutcome::Held => String::new(),
        TrialOutcome::Failed { differences, .. } => {
            let differences = differences.iter().map(ToString::to_string);
            differences.collect::<Vec<_>>().join(", ")
        }
        TrialOutcome::Broken { why } => why.clone(),
    };
    format!("test `{}`: {what}", result.name)
}

fn read(file: &Path, code: Code) -> Result<String, ConfigError> {
    fs::read_to_string(file).map_err(|error| ConfigError::new(file, code, error))
}

fn read_first(files: &[PathBuf]) -> Result<String, ConfigError> {
    let found = files.iter().find(|file| file.exists()).or_else(|| files.last());
    found.map_or_else(|| Ok(String::new()), |file| read(file, Code::POLICY_SIGNATURE))
}

fn signatures_of(path: &Path) -> PathBuf {
    beside(path, SIGNATURES)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Writes a file anew and makes it durable.
pub(crate) fn write_synced(path: &Path, text: &str) -> io::Result<()> {
    use io::Write;
    let mut file = fs::File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Makes the names in a file's folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
