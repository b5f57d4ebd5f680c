//! The signed files in force at some time, as a log has them.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fs,
    path::Path,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use kuriiri_merkle::digest;
use kuriiri_policy::{
    Case, CaseApproval, CaseClearance, Catalogue, Decision, FILE_BYTES_MAX, Facts, Federation,
    Label, NodeId, Policy, Reason, Rules, SEMANTICS, SEMANTICS_ASK_OWN, SEMANTICS_SEAL_KEYS,
    Sources, Translation, Word,
};
use kuriiri_types::{
    Approval, Decided, Digest, FileInForce, FileKind, FilePart, Giver, Header, LoggedRuling,
    Ministry, PolicyInForce, Subject, Timestamp, limits::CLOCK_SKEW_MAX,
};
use kuriiri_wire::approval;

use crate::folder::{FolderError, read_limited};

/// Files that are shown and not in force, or are and were before, and their signatures: three times as
/// many as there can be in force, and a file of signatures with each. More: an error.
const PENDING_MAX: usize = 384;

/// Signed files by their content: those brought along, and those that a log has shown since the last
/// change, which are at most so many as can come into force.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    brought: HashMap<Digest, Bytes>,
    shown: HashMap<Digest, Bytes>,
    parts: HashMap<Digest, Parts>,
}

/// Those parts of a file that a log has shown.
#[derive(Debug, Clone)]
struct Parts {
    /// How many there are, as the first that was shown says.
    of: u32,
    shown: BTreeMap<u32, Bytes>,
}

impl Contents {
    /// No file.
    pub fn new() -> Self {
        Self::default()
    }

    /// All files of a folder.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be read.
    pub fn of_folder(folder: &Path) -> Result<Self, FolderError> {
        let failed = |error| FolderError::io(folder, error);
        let mut contents = Self::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_file() {
                contents.add(read_limited(&path, FILE_BYTES_MAX as u64)?.into());
            }
        }
        Ok(contents)
    }

    /// Brings a whole file along.
    pub fn add(&mut self, bytes: Bytes) {
        self.brought.insert(digest(&bytes), bytes);
    }

    /// Adds a part of a file as a log has it. When the last one has come, the whole must be what it
    /// is said to be.
    ///
    /// # Errors
    /// What is wrong with the part or the whole.
    pub(crate) fn add_part(&mut self, part: &FilePart) -> Result<(), String> {
        if self.parts.len() + self.shown.len() > PENDING_MAX {
            self.parts.clear();
            self.shown.clear();
            return Err("the log shows more files than can come into force at once".into());
        }
        let first = || Parts { of: part.parts, shown: BTreeMap::new() };
        let parts = self.parts.entry(part.digest).or_insert_with(first);
        if parts.of != part.parts {
            let (of, other, digest) = (parts.of, part.parts, part.digest);
            return Err(format!("the file {digest} is said to have {of} parts, and {other}"));
        }
        parts.shown.insert(part.part, part.bytes.clone());
        if u32::try_from(parts.shown.len()).is_ok_and(|count| count < part.parts) {
            return Ok(());
        }
        let whole: Vec<u8> = parts.shown.values().flat_map(|bytes| bytes.to_vec()).collect();
        self.parts.remove(&part.digest);
        if digest(&whole) != part.digest {
            return Err(format!("the parts are not those of the file {}", part.digest));
        }
        self.shown.insert(part.digest, whole.into());
        Ok(())
    }

    /// Forgets what did not come into force: whatever does so later is shown again.
    pub(crate) fn settle(&mut self, policy: &PolicyInForce) {
        self.parts.clear();
        self.shown.retain(|digest, _| policy.files.iter().any(|file| file.digest == *digest));
    }

    /// The file with this content.
    pub fn get(&self, digest: Digest) -> Option<&Bytes> {
        self.shown.get(&digest).or_else(|| self.brought.get(&digest))
    }
}

/// What was in force: its digest, the federation, and the rules to decide by.
#[derive(Debug)]
pub(crate) struct InForce {
    pub(crate) digest: Digest,
    pub(crate) federation: Option<Federation>,
    pub(crate) policy: Option<Policy>,
    /// The shortest time that any of the rules lets a message live.
    pub(crate) shortest_life: Duration,
    /// Why there are no rules to decide by.
    pub(crate) without: Option<String>,
}

/// How a decision on one message comes out when it is taken again, if it does not come out the same.
pub(crate) type Again = Option<(Word, Vec<String>)>;

/// By which decisions name the files: SHA-256 over the digests in order.
pub(crate) fn digest_of(policy: &PolicyInForce) -> Digest {
    let all: Vec<u8> = policy.files.iter().flat_map(|file| *file.digest.as_bytes()).collect();
    digest(&all)
}

impl InForce {
    /// Before anything was said.
    pub(crate) fn nothing() -> Self {
        Self {
            digest: Digest([0; 32]),
            federation: None,
            policy: None,
            shortest_life: Duration::MAX,
            without: Some("the log names no files before it".into()),
        }
    }

    /// These files, as far as their contents are known.
    pub(crate) fn of(policy: &PolicyInForce, contents: &Contents) -> Self {
        let digest = digest_of(policy);
        let texts = match texts(policy, contents) {
            Ok(texts) => texts,
            Err(why) => {
                // Rules that are not at hand may let a message end at once.
                let (shortest_life, without) = (Duration::ZERO, Some(why));
                return Self { digest, shortest_life, without, ..Self::nothing() };
            }
        };
        let federation = federation_of(&texts);
        let (compiled, shortest_life) = (compile(&texts), shortest_life_of(&texts));
        let without = compiled.as_ref().err().cloned();
        Self { digest, federation, policy: compiled.ok(), shortest_life, without }
    }

    /// Takes a decision again for each of these of its messages. What it rests on besides their headers
    /// is looked up once for all.
    pub(crate) fn again(
        &self,
        at: Timestamp,
        home: &Ministry,
        decided: &Decided,
        messages: &[(Subject, Header)],
    ) -> Result<Vec<Again>, String> {
        if !(1..=SEMANTICS).contains(&decided.semantics) {
            return Err(format!(
                "rules are said to have had the meaning {} then, and this program knows those up to {SEMANTICS} only",
                decided.semantics
            ));
        }
        let Some(policy) = &self.policy else {
            return Err(self.without.clone().unwrap_or_default());
        };
        let Some((_, first)) = messages.first() else { return Ok(Vec::new()) };
        let mut all = Vec::with_capacity(messages.len());
        case_of(at, home, first, decided, policy).with(policy, |facts| {
            let mut asked = Asked { policy, at, facts: *facts, origin: first, label: None };
            all.extend(
                messages.iter().map(|message| other(decided, &asked.decide(decided, message))),
            );
        });
        Ok(all)
    }
}

/// Rules that are kept for when the same files come into force again: whoever puts files in force by turns
/// has them compiled once.
#[derive(Debug, Default)]
pub(crate) struct Compiled(VecDeque<(PolicyInForce, Arc<InForce>)>);

/// Sets of files that are kept compiled.
const COMPILED_MAX: usize = 16;

impl Compiled {
    /// These files, as far as their contents are known.
    pub(crate) fn of(&mut self, policy: &PolicyInForce, contents: &Contents) -> Arc<InForce> {
        let is_same = |(known, _): &&(PolicyInForce, Arc<InForce>)| known.files == policy.files;
        if let Some((_, rules)) = self.0.iter().find(is_same) {
            return Arc::clone(rules);
        }
        let rules = Arc::new(InForce::of(policy, contents));
        if rules.without.is_none() {
            self.0.truncate(COMPILED_MAX - 1);
            self.0.push_front((policy.clone(), Arc::clone(&rules)));
        }
        rules
    }
}

/// Whether the relay had to ask first if it may take a message that it hands on: when the message came in.
fn asks_own(decided: &Decided) -> bool {
    decided.semantics >= SEMANTICS_ASK_OWN
        && decided.batch.is_some()
        && !decided.path.is_empty()
        && decided.next.is_some()
}

/// How a decision comes out, if otherwise than it was.
fn other(decided: &Decided, decision: &Decision) -> Again {
    let (word, mut codes) = (decision.word(), decision.codes());
    codes.truncate(decided.reasons.len().max(REASONS_LOGGED_MAX));
    let is_same = word == word_of(decided.ruling) && codes == decided.reasons;
    (!is_same).then_some((word, codes))
}

/// One policy, asked about the messages of a class one after the other.
struct Asked<'a> {
    policy: &'a Policy,
    at: Timestamp,
    /// What all of them share, with what is known of the first.
    facts: Facts<'a>,
    origin: &'a Header,
    /// The label of the message before, and what it means here.
    label: Option<(&'a Header, Label)>,
}

impl<'a> Asked<'a> {
    /// How it decides now: against the message if this relay may not take it, where it must ask that first.
    fn decide(&mut self, decided: &Decided, (subject, header): &'a (Subject, Header)) -> Decision {
        let from = header.from.ministry();
        let origin = if from == self.origin.from.ministry() {
            self.facts.origin
        } else {
            self.policy.node(from).unwrap_or(NodeId::UNKNOWN)
        };
        let facts = Facts {
            origin,
            label: header.label.as_ref(),
            sealed: is_sealed(self.policy, decided, header),
            size: header.body_size,
            created: header.created,
            expires: header.expires,
            precedence: header.precedence,
            message_type: header.message_type,
            digest: Some(subject.header),
            drafter: header.drafter.as_deref(),
            ..self.facts
        };
        let label = match self.label(header, &facts) {
            Ok(label) => label,
            Err(reasons) => return Decision::Deny(reasons),
        };
        let ask = |facts: &Facts<'_>| self.policy.decide_resolved(self.at, facts, &label);
        let own = asks_own(decided).then(|| ask(&Facts { next: None, ..facts }));
        own.filter(|own| matches!(own, Decision::Deny(_))).unwrap_or_else(|| ask(&facts))
    }

    /// The meaning of a label rests on these besides what all of a class share.
    fn label(&mut self, header: &'a Header, facts: &Facts<'a>) -> Result<Label, Vec<Reason>> {
        let is_known = |(before, _): &(&Header, Label)| {
            (&before.label, before.created) == (&header.label, header.created)
                && before.from.ministry() == header.from.ministry()
        };
        let label = match self.label.filter(is_known) {
            Some((_, label)) => label,
            None => self.policy.effective(self.at, facts)?,
        };
        self.label = Some((header, label));
        Ok(label)
    }
}

/// Reasons that an entry has room for.
const REASONS_LOGGED_MAX: usize = 64;

pub(crate) fn word_of(ruling: LoggedRuling) -> Word {
    match ruling {
        LoggedRuling::Deny => Word::Deny,
        LoggedRuling::Hold => Word::Hold,
        LoggedRuling::Permit => Word::Permit,
    }
}

/// A file in force, with its text.
type Text<'a> = (&'a FileInForce, &'a str);

fn texts<'a>(policy: &'a PolicyInForce, contents: &'a Contents) -> Result<Vec<Text<'a>>, String> {
    let text = |file: &'a FileInForce| {
        let bytes = contents.get(file.digest);
        let missing = || format!("the {} `{}` is not in the log", file.kind.title(), file.name);
        let text = str::from_utf8(bytes.ok_or_else(missing)?);
        text.map(|text| (file, text)).map_err(|_| format!("`{}` is no text", file.name))
    };
    policy.files.iter().map(text).collect()
}

fn of_kind<'a>(texts: &[Text<'a>], kind: FileKind) -> impl Iterator<Item = Text<'a>> {
    texts.iter().copied().filter(move |(file, _)| file.kind == kind)
}

fn federation_of(texts: &[Text<'_>]) -> Option<Federation> {
    let (_, text) = of_kind(texts, FileKind::Federation).next()?;
    Federation::parse(text).ok()
}

/// Rules that cannot be read may let a message end at once.
fn shortest_life_of(texts: &[Text<'_>]) -> Duration {
    let lives = of_kind(texts, FileKind::Rules)
        .map(|(_, text)| Rules::parse(text).map_or(Duration::ZERO, |rules| rules.shortest_life()));
    lives.min().unwrap_or(Duration::ZERO)
}

fn compile(texts: &[Text<'_>]) -> Result<Policy, String> {
    let say = |error: kuriiri_policy::PolicyError| error.to_string();
    let of = |kind| of_kind(texts, kind).map(|(_, text)| text);
    let catalogues: Result<Vec<_>, _> = of(FileKind::Catalogue).map(Catalogue::parse).collect();
    let translations: Result<Vec<_>, _> =
        of(FileKind::Translation).map(Translation::parse).collect();
    let federation = of(FileKind::Federation).next().ok_or("there is no federation file")?;
    let (mut common, mut local) = (Vec::new(), Vec::new());
    for (file, text) in of_kind(texts, FileKind::Rules) {
        let rules = Rules::parse(text).map_err(say)?;
        if file.is_own { local.push(rules) } else { common.push(rules) }
    }
    let count = common.len();
    let Some(rules) = common.pop().filter(|_| count == 1) else {
        return Err(format!("there are {count} rules files of the federation, and not one"));
    };
    let sources = Sources {
        catalogues: catalogues.map_err(say)?,
        federation: Federation::parse(federation).map_err(say)?,
        rules,
        local,
        translations: translations.map_err(say)?,
    };
    Policy::compile(sources).map_err(say)
}

/// The facts that a decision rested on, with those of one message.
fn case_of(
    at: Timestamp,
    home: &Ministry,
    header: &Header,
    decided: &Decided,
    policy: &Policy,
) -> Case {
    let (origin, dest) = (header.from.ministry().as_str(), decided.dest.as_str());
    let path = decided.path.iter().chain([home]).map(ToString::to_string);
    let person = decided.clearances.as_ref().map(|held| {
        let clearance = |held: &kuriiri_types::LoggedClearance| CaseClearance {
            policy: held.policy.clone(),
            levels: held.levels.clone(),
            grants: held.grants.clone(),
        };
        held.iter().map(clearance).collect()
    });
    let signed = decided.approvals.iter();
    let approvals = signed.filter_map(|signed| approval::decode(&signed.approval).ok());
    Case {
        at: home.to_string(),
        prev: decided.path.last().map(ToString::to_string),
        next: decided.next.clone(),
        path: path.collect(),
        originating: decided.path.is_empty() && matches!(decided.giver, Some(Giver::System(_))),
        person,
        sealed: is_sealed(policy, decided, header),
        size: header.body_size,
        created: header.created,
        expires: header.expires,
        precedence: header.precedence,
        message_type: header.message_type,
        skew_ms: u64::try_from(CLOCK_SKEW_MAX.as_millis()).unwrap_or(u64::MAX),
        approvals: approvals.map(|said| case_approval(origin, &said)).collect(),
        drafter: header.drafter.clone(),
        ..Case::new(at, origin, dest, header.label.clone())
    }
}

fn case_approval(origin: &str, said: &Approval) -> CaseApproval {
    CaseApproval {
        officer: said.officer.name().to_owned(),
        node: origin.to_owned(),
        digest: said.subject,
        until: said.until,
        roles: said.roles.clone(),
    }
}

/// Whether the relay had to take the message for sealed, by the meaning that rules had then.
fn is_sealed(policy: &Policy, decided: &Decided, header: &Header) -> bool {
    if decided.semantics >= SEMANTICS_SEAL_KEYS {
        return policy.federation().check_seal(header, &decided.dest).is_ok();
    }
    names_recipients_only(header, &decided.dest)
}

/// What was asked before: the recipients' ministry has a key, whatever key that is, and nobody has one but
/// recipients and the sender's own officers.
fn names_recipients_only(header: &Header, dest: &Ministry) -> bool {
    let Some(sealing) = &header.sealing else { return false };
    let concerned = |ministry: &Ministry| {
        ministry == header.from.ministry() || header.recipients_at(ministry).next().is_some()
    };
    sealing.keys.iter().any(|key| key.ministry == *dest)
        && sealing.keys.iter().all(|key| concerned(&key.ministry))
}

/// Shared so that many threads decide by it.
pub(crate) type SharedRules = Arc<InForce>;

#[cfg(test)]
mod tests;
