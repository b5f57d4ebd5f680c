//! The rules that relays of a world may run on: the example's, and what a ministry makes of them.

use std::sync::Arc;

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
    /// The files that each of them is made of, and by which logs name them: with the first federation
    /// file, then all in the same order with the second, and so on.
    files: Vec<(Arc<Policy>, SignedSet, Digest)>,
    /// How many there are with each federation file.
    kinds: usize,
}

/// What the files of every policy have in common.
pub(crate) struct Common<'a> {
    /// Who signs every file: two persons, for whatever permits more than before.
    pub(crate) stewards: &'a [Arc<Signer>],
    /// The text of the federation file.
    pub(crate) federation: &'a str,
}

/// The name and the text of a ministry's own rules.
type Own<'a> = (&'a str, &'a str);

impl Rulebook {
    /// The rules of this federation, with each of its federation files after another.
    pub(crate) fn make(times: &[Common<'_>]) -> Result<Self, Failure> {
        let rules = vector!("policy.toml");
        let forged = rules.replace(r#"transit = "sealed""#, r#"transit = "clear""#);
        let lax = rules.replace("approvals = 1", "").replace("approvals = 2", "");
        let own = TIGHTER.map(|(name, level, asks)| {
            let local = format!(
                "format = \"routing-policy/1\"\nserial = 1\n\
                 [[rule]]\nid = \"local\"\npolicy = \"FI\"\nlevel = \"{level}\"\n{asks}\n"
            );
            (name, local)
        });
        let tighter = own.iter().map(|(name, text)| (rules, Some((*name, text.as_str()))));
        let others = [(rules, None), (forged.as_str(), None), (lax.as_str(), None)];
        let kinds: Vec<(&str, Option<Own<'_>>)> = tighter.chain(others).collect();
        let mut files = Vec::new();
        for common in times {
            for (rules, own) in &kinds {
                let signed = common.signed_set(rules, *own)?;
                let digest = signed.digest();
                files.push((common.policy(rules, *own)?, signed, digest));
            }
        }
        let mut first = files.iter().map(|(policy, ..)| Arc::clone(policy));
        let tighter = TIGHTER.iter().zip(first.by_ref()).map(|((name, ..), one)| (*name, one));
        let tighter = tighter.collect();
        let mut next = || first.next().ok_or_else(|| Failure::setup("no federation file"));
        let (example, forged, lax) = (next()?, next()?, next()?);
        Ok(Self { example, tighter, forged, lax, files, kinds: kinds.len() })
    }

    /// The same rules with the federation file of this number, from nothing on.
    pub(crate) fn with_federation(&self, policy: &Arc<Policy>, file: usize) -> Arc<Policy> {
        let at = self.files.iter().position(|(known, ..)| Arc::ptr_eq(known, policy));
        let kind = at.and_then(|at| at.checked_rem(self.kinds));
        let same = kind.and_then(|kind| self.files.get(kind + file * self.kinds));
        Arc::clone(same.map_or(policy, |(same, ..)| same))
    }

    /// The files of one of these policies.
    pub(crate) fn files(&self, policy: &Arc<Policy>) -> SignedSet {
        let mut all = self.files.iter();
        let found = all.find(|(known, ..)| Arc::ptr_eq(known, policy));
        found.map(|(_, files, _)| files.clone()).unwrap_or_default()
    }

    /// The policy of these files, by which decisions in logs name them.
    pub(crate) fn policy(&self, files: Digest) -> Option<&Policy> {
        let mut all = self.files.iter();
        all.find(|(.., known)| *known == files).map(|(policy, ..)| &**policy)
    }
}

impl Common<'_> {
    fn policy(&self, rules: &str, own: Option<Own<'_>>) -> Result<Arc<Policy>, Failure> {
        let catalogues = CATALOGUES.into_iter().map(|(_, text)| Catalogue::parse(text));
        let local = own.iter().map(|(_, text)| Rules::parse(text));
        let translation = Translation::parse(TRANSLATION);
        let sources = Sources {
            catalogues: catalogues.collect::<Result<_, _>>().map_err(Failure::setup)?,
            federation: Federation::parse(self.federation).map_err(Failure::setup)?,
            rules: Rules::parse(rules).map_err(Failure::setup)?,
            local: local.collect::<Result<_, _>>().map_err(Failure::setup)?,
            translations: vec![translation.map_err(Failure::setup)?],
        };
        Policy::compile(sources).map(Arc::new).map_err(Failure::setup)
    }

    /// The files that such a policy is made of, in the order in which logs name them.
    ///
    /// Each file of own rules has a name of its own, so that whichever comes into force after another,
    /// no serial falls and none stands for two texts.
    fn signed_set(&self, rules: &str, own: Option<Own<'_>>) -> Result<SignedSet, Failure> {
        let catalogues = CATALOGUES.map(|(name, text)| (FileKind::Catalogue, name, text));
        let files = [(FileKind::Federation, "example", self.federation)]
            .into_iter()
            .chain(catalogues)
            .chain([(FileKind::Translation, "EU to FI", TRANSLATION)])
            .chain([(FileKind::Rules, "example", rules)])
            .chain(own.map(|(name, text)| (FileKind::Rules, name, text)));
        let stewards = self.stewards.iter();
        let certificates = stewards.map(|steward| steward.certificate().clone()).collect();
        let mut set = SignedSet { certificates, ..SignedSet::default() };
        for (kind, name, text) in files {
            let signed = self.signatures(kind, text)?;
            set.policy.files.push(FileInForce {
                kind,
                name: name.to_owned(),
                serial: serial(kind, text).map_err(Failure::setup)?,
                digest: digest(text.as_bytes()),
                signatures: digest(signed.as_bytes()),
                is_own: own.is_some_and(|own| own == (name, text)),
            });
            set.contents.push(text.to_owned().into());
            set.signatures.push(signed.into());
        }
        Ok(set)
    }

    fn signatures(&self, kind: FileKind, text: &str) -> Result<String, Failure> {
        let mut signed = None;
        for steward in self.stewards {
            let more = sign_file(kind, text.as_bytes(), signed.as_deref(), steward);
            signed = Some(more.map_err(Failure::setup)?);
        }
        Ok(signed.unwrap_or_default())
    }
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
