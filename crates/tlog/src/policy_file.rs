//! Policies as files (C2SP `tlog-policy`).
//!
//! The specification takes the file as octets: names and addresses that are not ASCII are compared
//! byte by byte, in whatever encoding they are.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    KeyKind, KeyTextError, PolicyFault, TrustError, VerifierKey,
    text::decimal,
    trust::{Group, Log, Member, Trust, Witness},
};

/// Bytes of a policy; room for all that may stand in one. Larger: refused before it is read.
pub const POLICY_BYTES_MAX: usize = 1024 * 1024;
/// Logs, witnesses and groups, of each; the specification recommends at least 32. More: refused.
pub const POLICY_LINES_MAX: usize = 256;

/// The quorum without witnesses, a name that nothing else can have.
const NONE: &[u8] = b"none";

impl Trust {
    /// A policy of these logs, and of these witnesses of whom so many are `needed`; see
    /// [`witnesses_needed`](crate::witnesses_needed). With none needed, cosignatures are told of and not required.
    ///
    /// # Errors
    /// When more are needed than there are, a key is of the wrong kind or there twice, or two
    /// witnesses have one name.
    pub fn new(
        logs: &[VerifierKey],
        witnesses: &[VerifierKey],
        needed: usize,
    ) -> Result<Self, TrustError> {
        if needed > witnesses.len() {
            return Err(TrustError::Needed { needed, witnesses: witnesses.len() });
        }
        let mut text: String = logs.iter().map(|log| format!("log {log}\n")).collect();
        let names: String = witnesses.iter().map(|key| format!(" {}", key.name())).collect();
        for key in witnesses {
            text.push_str(&format!("witness {} {key}\n", key.name()));
        }
        text.push_str(&match needed {
            0 => "quorum none\n".to_owned(),
            _ => format!("group witnesses-needed {needed}{names}\nquorum witnesses-needed\n"),
        });
        Self::parse(text.as_bytes())
    }

    /// Reads a policy file, strictly.
    ///
    /// # Errors
    /// With the line and what is wrong with it; or when there is no quorum line, the file is too
    /// large, or its last line does not end.
    pub fn parse(file: &[u8]) -> Result<Self, TrustError> {
        read(file)
    }

    /// The policy as a file, which [`parse`](Self::parse) reads as the same policy.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut file = Vec::new();
        let mut line = |words: &[&[u8]]| {
            file.extend(words.join(&b' '));
            file.push(b'\n');
        };
        for log in &self.logs {
            let key = log.key.to_string();
            let words = [b"log", key.as_bytes()].into_iter().chain(log.url.as_deref());
            line(&words.collect::<Vec<_>>());
        }
        for witness in &self.witnesses {
            let key = witness.key.to_string();
            let words = [b"witness", witness.name.as_slice(), key.as_bytes()].into_iter();
            line(&words.chain(witness.url.as_deref()).collect::<Vec<_>>());
        }
        for group in &self.groups {
            let needed = group.needed.to_string();
            let words = [b"group", group.name.as_slice(), needed.as_bytes()].into_iter();
            let members = group.members.iter().map(|member| self.member_name(*member));
            line(&words.chain(members).collect::<Vec<_>>());
        }
        line(&[b"quorum", self.quorum.map_or(b"none", |member| self.member_name(member))]);
        file
    }
}

fn read(file: &[u8]) -> Result<Trust, TrustError> {
    if file.len() > POLICY_BYTES_MAX {
        return Err(TrustError::TooLarge(file.len()));
    }
    let lines = match file.strip_suffix(b"\n") {
        Some(lines) => lines.split(|byte| *byte == b'\n'),
        None if file.is_empty() => return Err(TrustError::NoQuorum),
        None => return Err(TrustError::Unended),
    };
    let mut reader = Reader::default();
    for (line, bytes) in (1..).zip(lines) {
        reader.line(bytes).map_err(|fault| TrustError::Line { line, fault })?;
    }
    let quorum = reader.quorum.ok_or(TrustError::NoQuorum)?;
    Ok(Trust { logs: reader.logs, witnesses: reader.witnesses, groups: reader.groups, quorum })
}

#[derive(Default)]
struct Reader<'a> {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: Option<Option<Member>>,
    names: BTreeMap<&'a [u8], Member>,
    members: BTreeSet<Member>,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: &'a [u8]) -> Result<(), PolicyFault> {
        if line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return Err(PolicyFault::Control);
        }
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
        let words = line.split(is_space).filter(|word| !word.is_empty());
        let words: Vec<&[u8]> = words.collect();
        match words.split_first() {
            None => Ok(()),
            Some((first, _)) if first.starts_with(b"#") => Ok(()),
            Some((&b"log", words)) => self.log(words),
            Some((&b"witness", words)) => self.witness(words),
            Some((&b"group", words)) => self.group(words),
            Some((&b"quorum", words)) => self.quorum(words),
            Some(_) => Err(PolicyFault::Keyword),
        }
    }

    fn log(&mut self, words: &[&'a [u8]]) -> Result<(), PolicyFault> {
        let (key, url) = match words {
            [key] => (key, None),
            [key, url] => (key, Some(url.to_vec())),
            _ => return Err(PolicyFault::Words("log <key> [<url>]")),
        };
        let key = parse_key(key, KeyKind::Note)?;
        check_new(&key, self.logs.iter().map(|log| &log.key))?;
        push(&mut self.logs, Log { key, url })?;
        Ok(())
    }

    fn witness(&mut self, words: &[&'a [u8]]) -> Result<(), PolicyFault> {
        let (name, key, url) = match words {
            [name, key] => (name, key, None),
            [name, key, url] => (name, key, Some(url.to_vec())),
            _ => return Err(PolicyFault::Words("witness <name> <key> [<url>]")),
        };
        let key = parse_key(key, KeyKind::Cosignature)?;
        check_new(&key, self.witnesses.iter().map(|witness| &witness.key))?;
        let at = push(&mut self.witnesses, Witness { name: name.to_vec(), key, url })?;
        self.define(name, Member::Witness(at))
    }

    fn group(&mut self, words: &[&'a [u8]]) -> Result<(), PolicyFault> {
        let [name, threshold, names @ ..] = words else {
            return Err(PolicyFault::Words("group <name> all|any|<number> <name>..."));
        };
        let needed = needed(threshold, names.len())?;
        let members = names.iter().map(|name| self.member(name)).collect::<Result<_, _>>()?;
        let at = push(&mut self.groups, Group { name: name.to_vec(), needed, members })?;
        self.define(name, Member::Group(at))
    }

    fn quorum(&mut self, words: &[&'a [u8]]) -> Result<(), PolicyFault> {
        let [name] = words else {
            return Err(PolicyFault::Words("quorum <name>, or quorum none"));
        };
        if self.quorum.is_some() {
            return Err(PolicyFault::SecondQuorum);
        }
        let member = if *name == NONE { None } else { Some(self.defined(name)?) };
        self.quorum = Some(member);
        Ok(())
    }

    fn define(&mut self, name: &'a [u8], member: Member) -> Result<(), PolicyFault> {
        if name == NONE || self.names.insert(name, member).is_some() {
            return Err(PolicyFault::SameName(shown(name)));
        }
        Ok(())
    }

    fn defined(&self, name: &[u8]) -> Result<Member, PolicyFault> {
        self.names.get(name).copied().ok_or_else(|| PolicyFault::Undefined(shown(name)))
    }

    /// A member of a group, of which it is then no more to be one of another: else one witness
    /// would count twice.
    fn member(&mut self, name: &[u8]) -> Result<Member, PolicyFault> {
        let member = self.defined(name)?;
        let is_new = self.members.insert(member);
        is_new.then_some(member).ok_or_else(|| PolicyFault::TwiceMember(shown(name)))
    }
}

fn parse_key(key: &[u8], kind: KeyKind) -> Result<VerifierKey, KeyTextError> {
    let key: VerifierKey = str::from_utf8(key).map_err(|_| KeyTextError::Format)?.parse()?;
    if key.kind() == kind { Ok(key) } else { Err(KeyTextError::WrongKind(key.name().clone())) }
}

/// Keys are the same when the key itself is, whatever name they go by.
fn check_new<'a>(
    key: &VerifierKey,
    mut earlier: impl Iterator<Item = &'a VerifierKey>,
) -> Result<(), PolicyFault> {
    let is_there = earlier.any(|earlier| earlier.public_key() == key.public_key());
    if is_there { Err(PolicyFault::SameKey) } else { Ok(()) }
}

/// How many of so many members.
fn needed(threshold: &[u8], members: usize) -> Result<usize, PolicyFault> {
    let number = match threshold {
        b"all" => Some(members),
        b"any" => Some(1),
        number => {
            let number = str::from_utf8(number).ok().and_then(decimal);
            number.and_then(|number| usize::try_from(number).ok())
        }
    };
    let fits = |number: &usize| (1..=members).contains(number);
    number.filter(fits).ok_or_else(|| PolicyFault::Threshold(shown(threshold)))
}

/// Adds one, and gives its place.
fn push<T>(list: &mut Vec<T>, item: T) -> Result<usize, PolicyFault> {
    if list.len() >= POLICY_LINES_MAX {
        return Err(PolicyFault::TooMany(POLICY_LINES_MAX));
    }
    list.push(item);
    Ok(list.len() - 1)
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
