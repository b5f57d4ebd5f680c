//! The rules that relays of a world may run on: the example's, and what a ministry makes of them.

use std::sync::Arc;

use kuriiri_certs::{Authority, Purpose, Validity};
use kuriiri_engine::SignedSet;
use kuriiri_merkle::digest;
use kuriiri_policy::{Catalogue, Federation, Policy, Rules, Sources, Translation};
use kuriiri_seal::{Signer, sign_file};
use kuriiri_types::{Digest, FileInForce, FileKind, Ministry, Timestamp};

use crate::failure::Failure;

/// The part of the vectors' folder that says who is who.
macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!("../../../tests/vectors/labels/", $name))
    };
}

/// Node, trust domain, direct links. `sm` and `um` meet through the hub only.
pub(crate) const NODES: [(&str, &str, &str); 4] = [
    ("sm", "sm.example", r#""plm", "hub""#),
    ("plm", "plm.example", r#""sm", "um", "hub""#),
    ("um", "um.example", r#""plm", "hub""#),
    ("hub", "verkko.example", r#""sm", "plm", "um""#),
];

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

/// Who signs every file: two officers, for whatever permits more than before.
const STEWARDS: [&str; 2] =
    ["spiffe://verkko.example/officer/sulo", "spiffe://verkko.example/officer/taru"];

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
    /// The files that each of them is made of, and by which logs name them.
    files: Vec<(Arc<Policy>, SignedSet, Digest)>,
}

impl Rulebook {
    /// The certificates of those who sign the files are valid for a year from this time on.
    pub(crate) fn make(from: Timestamp) -> Result<Self, Failure> {
        let stewards = stewards(from)?;
        let rules = vector!("policy.toml");
        let forged = rules.replace(r#"transit = "sealed""#, r#"transit = "clear""#);
        let lax = rules.replace("approvals = 1", "").replace("approvals = 2", "");
        let mut files = Vec::new();
        let mut policy = |rules: &str, local: &[&str]| -> Result<Arc<Policy>, Failure> {
            let policy = policy(rules, local)?;
            let signed = signed_set(&stewards, rules, local)?;
            let digest = signed.digest();
            files.push((Arc::clone(&policy), signed, digest));
            Ok(policy)
        };
        let mut tighter = Vec::new();
        for (name, level, asks) in TIGHTER {
            let local = format!(
                "format = \"routing-policy/1\"\nserial = 1\n\
                 [[rule]]\nid = \"local\"\npolicy = \"FI\"\nlevel = \"{level}\"\n{asks}\n"
            );
            tighter.push((name, policy(rules, &[&local])?));
        }
        let (example, forged) = (policy(rules, &[])?, policy(&forged, &[])?);
        let lax = policy(&lax, &[])?;
        Ok(Self { example, tighter, forged, lax, files })
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

/// The relays that one has a direct link with.
pub(crate) fn peers(of: &Ministry, policy: &Policy) -> Vec<Ministry> {
    let federation = policy.federation();
    let here = policy.node(of);
    let linked =
        federation.nodes().filter(|(id, _)| here.is_some_and(|h| federation.linked(h, *id)));
    linked.filter_map(|(_, node)| node.domain().cloned()).collect()
}

fn policy(rules: &str, local: &[&str]) -> Result<Arc<Policy>, Failure> {
    let catalogues =
        [vector!("catalogue-fi.toml"), vector!("catalogue-eu.toml"), vector!("catalogue-tlp.toml")];
    let catalogues = catalogues.into_iter().map(Catalogue::parse);
    let local = local.iter().map(|text| Rules::parse(text));
    let translation = Translation::parse(vector!("translate-eu-fi.toml"));
    let sources = Sources {
        catalogues: catalogues.collect::<Result<_, _>>().map_err(Failure::setup)?,
        federation: Federation::parse(&federation()).map_err(Failure::setup)?,
        rules: Rules::parse(rules).map_err(Failure::setup)?,
        local: local.collect::<Result<_, _>>().map_err(Failure::setup)?,
        translations: vec![translation.map_err(Failure::setup)?],
    };
    Policy::compile(sources).map(Arc::new).map_err(Failure::setup)
}

fn stewards(from: Timestamp) -> Result<Vec<Signer>, Failure> {
    let validity = Validity::days(from, 365);
    let ministry = "verkko.example".parse().map_err(Failure::setup)?;
    let authority = Authority::new(&ministry, validity).map_err(Failure::setup)?;
    let signer = |id: &str| {
        let id = id.parse().map_err(Failure::setup)?;
        let issued = authority.issue(&id, Purpose::Signing, validity).map_err(Failure::setup)?;
        Signer::from_pem(&issued.certificate_pem, &issued.key_pem).map_err(Failure::setup)
    };
    STEWARDS.into_iter().map(signer).collect()
}

/// The files that such a policy is made of, in the order in which logs name them.
fn signed_set(stewards: &[Signer], rules: &str, local: &[&str]) -> Result<SignedSet, Failure> {
    let own = local.iter().map(|text| (FileKind::Rules, "local", (*text).to_owned()));
    let files = [
        (FileKind::Federation, "example", federation()),
        (FileKind::Catalogue, "EU", vector!("catalogue-eu.toml").to_owned()),
        (FileKind::Catalogue, "FI", vector!("catalogue-fi.toml").to_owned()),
        (FileKind::Catalogue, "TLP", vector!("catalogue-tlp.toml").to_owned()),
        (FileKind::Translation, "EU to FI", vector!("translate-eu-fi.toml").to_owned()),
        (FileKind::Rules, "example", rules.to_owned()),
    ];
    let certificates = stewards.iter().map(|steward| steward.certificate().clone()).collect();
    let mut set = SignedSet { certificates, ..SignedSet::default() };
    for (kind, name, text) in files.into_iter().chain(own) {
        let signed = signatures(stewards, kind, &text)?;
        set.policy.files.push(FileInForce {
            kind,
            name: name.to_owned(),
            serial: 1,
            digest: digest(text.as_bytes()),
            signatures: digest(signed.as_bytes()),
            is_own: name == "local",
        });
        set.contents.push(text.into());
        set.signatures.push(signed.into());
    }
    Ok(set)
}

fn signatures(stewards: &[Signer], kind: FileKind, text: &str) -> Result<String, Failure> {
    let mut signed = None;
    for steward in stewards {
        let more = sign_file(kind, text.as_bytes(), signed.as_deref(), steward);
        signed = Some(more.map_err(Failure::setup)?);
    }
    Ok(signed.unwrap_or_default())
}

/// The federation of the vectors, with domains, endpoints and links.
fn federation() -> String {
    let text = vector!("federation.toml").to_owned();
    NODES.iter().fold(text, |text, (node, domain, links)| {
        let id = format!("id = \"{node}\"");
        let more = format!(
            "{id}\ndomain = \"{domain}\"\nendpoints = [\"relay.{domain}:4433\"]\nlinks = [{links}]"
        );
        text.replacen(&id, &more, 1)
    })
}
