//! The rules that relays of a world may run on: the example's, and what a ministry makes of them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use kuriiri_engine::SignedSet;
use kuriiri_merkle::digest;
use kuriiri_policy::{Catalogue, Federation, Policy, PolicyError, Rules, Sources, Translation};
use kuriiri_seal::{Signer, sign_file};
use kuriiri_types::{Digest, FileInForce, FileKind};

use crate::failure::Failure;

/// The part of the vectors' folder that says what labels mean and may do.
macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!("../../../tests/vectors/labels/", $name))
    };
}

/// The catalogues in the order of their names, and the translation.
const CATALOGUES: [(&str, &str); 3] = [
    ("EU", vector!("catalogue-eu.toml")),
    ("FI", vector!("catalogue-fi.toml")),
    ("TLP", vector!("catalogue-tlp.toml")),
];
const TRANSLATION: &str = vector!("translate-eu-fi.toml");

/// A ministry's own rules, which only tighten: what they are called, whom they speak of, and what
/// they ask. A storm begins forty seconds before it is over, at 11:06:40.
const TIGHTER: [(&str, &str, &str); 7] = [
    ("no secrets", "SALP", "forbid = true"),
    ("no third class", "TL3", "forbid = true"),
    ("secrets need an officer", "SALP", "approvals = 1"),
    ("the third class needs two", "TL3", "approvals = 2"),
    ("the public goes until seven past", "JULK", r#"window = ["11:00-11:07"]"#),
    ("secrets go from seven past", "SALP", r#"window = ["11:07-23:59"]"#),
    ("few public ones an hour", "JULK", r#"rate = "40/h""#),
];

/// Rules under which a relay may find itself.
#[derive(Debug)]
pub(crate) struct Rulebook {
    /// In force everywhere to begin with.
    pub(crate) example: Arc<Policy>,
    /// The same tightened in one way or another, with a name for the log.
    pub(crate) tighter: Vec<(&'static str, Arc<Policy>)>,
    /// What no relay should have: unsealed transit for what must be sealed.
    pub(crate) forged: Arc<Policy>,
    /// Nor this: no officers for what must be released.
    pub(crate) lax: Arc<Policy>,
    /// What each of them is made of: with the first federation file, then all in the same order with the
    /// second, and so on.
    files: Vec<Files>,
    /// How many there are with each federation file.
    kinds: usize,
    /// Who signs every file.
    stewards: Vec<Arc<Signer>>,
    /// The policies of all files that were given out, by the digests by which decisions name them.
    given: Mutex<BTreeMap<Digest, Arc<Policy>>>,
}

/// What a policy is made of.
#[derive(Debug)]
struct Files {
    policy: Arc<Policy>,
    /// All files but the ministry's own rules.
    others: SignedSet,
    /// What the ministry's own rules say.
    own: String,
}

/// What the files of every policy have in common.
pub(crate) struct Common<'a> {
    /// Who signs every file: two persons, for whatever permits more than before.
    pub(crate) stewards: &'a [Arc<Signer>],
    /// The text of the federation file.
    pub(crate) federation: &'a str,
}

/// How the file of a ministry's own rules is called. It never goes, for nobody signs that a file is taken out.
const OWN: &str = "own";

/// A ministry's own rules as a file of this serial.
fn own_file(serial: u64, rules: &str) -> String {
    format!("format = \"routing-policy/1\"\nserial = {serial}\n{rules}")
}

impl Rulebook {
    /// The rules of this federation, with each of its federation files after another.
    pub(crate) fn make(times: &[Common<'_>]) -> Result<Self, Failure> {
        let rules = vector!("policy.toml");
        let forged = rules.replace(r#"transit = "sealed""#, r#"transit = "clear""#);
        let lax = rules.replace("approvals = 1", "").replace("approvals = 2", "");
        let own = TIGHTER.map(|(_, level, asks)| {
            format!("[[rule]]\nid = \"local\"\npolicy = \"FI\"\nlevel = \"{level}\"\n{asks}\n")
        });
        let tighter = own.iter().map(|own| (rules, own.as_str()));
        let others = [(rules, ""), (forged.as_str(), ""), (lax.as_str(), "")];
        let kinds: Vec<(&str, &str)> = tighter.chain(others).collect();
        let mut files = Vec::new();
        for common in times {
            for (rules, own) in &kinds {
                let (others, policy) = (common.signed_set(rules)?, common.policy(rules, own)?);
                files.push(Files { policy, others, own: (*own).to_owned() });
            }
        }
        let stewards = times.first().map(|common| common.stewards.to_vec()).unwrap_or_default();
        let mut first = files.iter().map(|one| Arc::clone(&one.policy));
        let tighter = TIGHTER.iter().zip(first.by_ref()).map(|((name, ..), one)| (*name, one));
        let tighter = tighter.collect();
        let mut next = || first.next().ok_or_else(|| Failure::setup("no federation file"));
        let (example, forged, lax) = (next()?, next()?, next()?);
        let (kinds, given) = (kinds.len(), Mutex::default());
        Ok(Self { example, tighter, forged, lax, files, kinds, stewards, given })
    }

    /// The same rules with the federation file of this number, from nothing on.
    pub(crate) fn with_federation(&self, policy: &Arc<Policy>, file: usize) -> Arc<Policy> {
        let at = self.files.iter().position(|one| Arc::ptr_eq(&one.policy, policy));
        let kind = at.and_then(|at| at.checked_rem(self.kinds));
        let same = kind.and_then(|kind| self.files.get(kind + file * self.kinds));
        Arc::clone(same.map_or(policy, |same| &same.policy))
    }

    /// The files of one of these policies, with own rules of this serial.
    pub(crate) fn files(&self, policy: &Arc<Policy>, serial: u64) -> SignedSet {
        let found = self.files.iter().find(|one| Arc::ptr_eq(&one.policy, policy));
        let set = found.and_then(|Files { others, own, .. }| {
            let (mut set, own) = (others.clone(), own_file(serial, own));
            add(&mut set, (FileKind::Rules, OWN, &own), &self.stewards).ok()?;
            Some(set)
        });
        let set = set.unwrap_or_default();
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.insert(set.digest(), Arc::clone(policy));
        set
    }

    /// The policy of files that were given out, by which decisions in logs name them.
    pub(crate) fn policy(&self, files: Digest) -> Option<Arc<Policy>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).get(&files).cloned()
    }
}

impl Common<'_> {
    fn policy(&self, rules: &str, own: &str) -> Result<Arc<Policy>, Failure> {
        let catalogues = CATALOGUES.into_iter().map(|(_, text)| Catalogue::parse(text));
        let translation = Translation::parse(TRANSLATION);
        let sources = Sources {
            catalogues: catalogues.collect::<Result<_, _>>().map_err(Failure::setup)?,
            federation: Federation::parse(self.federation).map_err(Failure::setup)?,
            rules: Rules::parse(rules).map_err(Failure::setup)?,
            local: vec![Rules::parse(&own_file(1, own)).map_err(Failure::setup)?],
            translations: vec![translation.map_err(Failure::setup)?],
        };
        Policy::compile(sources).map(Arc::new).map_err(Failure::setup)
    }

    /// The files that such a policy is made of besides own rules, in the order in which logs name them.
    fn signed_set(&self, rules: &str) -> Result<SignedSet, Failure> {
        let catalogues = CATALOGUES.map(|(name, text)| (FileKind::Catalogue, name, text));
        let files = [(FileKind::Federation, "example", self.federation)]
            .into_iter()
            .chain(catalogues)
            .chain([(FileKind::Translation, "EU to FI", TRANSLATION)])
            .chain([(FileKind::Rules, "example", rules)]);
        let stewards = self.stewards.iter();
        let certificates = stewards.map(|steward| steward.certificate().clone()).collect();
        let mut set = SignedSet { certificates, ..SignedSet::default() };
        for file in files {
            add(&mut set, file, self.stewards)?;
        }
        Ok(set)
    }
}

/// Adds a file of this kind, name and text, signed by all stewards.
fn add(
    set: &mut SignedSet,
    (kind, name, text): (FileKind, &str, &str),
    stewards: &[Arc<Signer>],
) -> Result<(), Failure> {
    let mut signed = None;
    for steward in stewards {
        let more = sign_file(kind, text.as_bytes(), signed.as_deref(), steward);
        signed = Some(more.map_err(Failure::setup)?);
    }
    let signed = signed.unwrap_or_default();
    set.policy.files.push(FileInForce {
        kind,
        name: name.to_owned(),
        serial: serial(kind, text).map_err(Failure::setup)?,
        digest: digest(text.as_bytes()),
        signatures: digest(signed.as_bytes()),
        is_own: name == OWN,
    });
    set.contents.push(text.to_owned().into());
    set.signatures.push(signed.into());
    Ok(())
}

/// The serial that a file gives itself.
fn serial(kind: FileKind, text: &str) -> Result<u64, PolicyError> {
    match kind {
        FileKind::Catalogue => Catalogue::parse(text).map(|file| file.serial()),
        FileKind::Federation => Federation::parse(text).map(|file| file.serial()),
        FileKind::Rules => Rules::parse(text).map(|file| file.serial()),
        FileKind::Translation => Translation::parse(text).map(|file| file.serial()),
    }
}
