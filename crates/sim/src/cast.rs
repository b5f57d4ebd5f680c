//! Who takes part: the example federation with its keys, made once for all worlds.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use kuriiri_certs::{Authority, Purpose, Validity};
use kuriiri_engine::{Codec, Config};
use kuriiri_policy::{Catalogue, Federation, Policy, Rules, Sources, Translation};
use kuriiri_seal::{Authorities, Signer, Verifier};
use kuriiri_types::{Address, Approval, Header, Ministry, Receipt, SpiffeId};
use kuriiri_wire::{approval, header, receipt};

use crate::{clock::BEGINNING, failure::Failure};

/// The part of the vectors' folder that says who is who.
macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!("../../../tests/vectors/labels/", $name))
    };
}

/// Node, trust domain, direct links. `sm` and `um` meet through the hub only.
const NODES: [(&str, &str, &str); 4] = [
    ("sm", "sm.example", r#""plm", "hub""#),
    ("plm", "plm.example", r#""sm", "um", "hub""#),
    ("um", "um.example", r#""plm", "hub""#),
    ("hub", "verkko.example", r#""sm", "plm", "um""#),
];
/// The systems of each relay and the mailboxes of each system.
const SYSTEMS: [(&str, &[&str]); 2] =
    [("kirjaamo", &["kirjaamo"]), ("tilanne", &["tilanne", "paivystys"])];
/// A ministry's own rules in times of tension: they only tighten.
const TENSION: &str = r#"
    format = "routing-policy/1"
    serial = 1
    [[rule]]
    id = "no-secrets"
    policy = "FI"
    level = "SALP"
    forbid = true
"#;

/// The relays and systems of the federation.
pub(crate) struct Cast {
    /// Knows every signer.
    pub(crate) verifier: Verifier,
    pub(crate) houses: BTreeMap<Ministry, House>,
    /// In force everywhere to begin with.
    pub(crate) policy: Arc<Policy>,
    /// The same, tightened.
    pub(crate) tense: Arc<Policy>,
    /// What no relay should have: unsealed transit for what must be sealed.
    pub(crate) forged: Arc<Policy>,
}

/// What belongs to one relay.
pub(crate) struct House {
    pub(crate) relay: Arc<Signer>,
    pub(crate) systems: BTreeMap<SpiffeId, System>,
    pub(crate) peers: Vec<Ministry>,
}

/// One system of a ministry.
pub(crate) struct System {
    pub(crate) signer: Arc<Signer>,
    pub(crate) addresses: BTreeSet<Address>,
}

impl Cast {
    /// The cast, the same in the whole process.
    pub(crate) fn shared() -> Result<Arc<Self>, Failure> {
        static CAST: OnceLock<Result<Arc<Cast>, Failure>> = OnceLock::new();
        CAST.get_or_init(|| Self::make().map(Arc::new)).clone()
    }

    fn make() -> Result<Self, Failure> {
        let rules = vector!("policy.toml");
        let policy = Arc::new(policy(rules, &[])?);
        let forged = rules.replace(r#"transit = "sealed""#, r#"transit = "clear""#);
        let mut authorities = Authorities::new();
        let mut houses = BTreeMap::new();
        for (_, domain, _) in NODES {
            let ministry: Ministry = domain.parse().map_err(Failure::setup)?;
            let house = House::make(&ministry, &mut authorities, &policy)?;
            houses.insert(ministry, house);
        }
        let verifier = Verifier::new(authorities);
        for signer in houses.values().flat_map(House::signers) {
            let admitted = verifier.admit_certificate(signer.certificate(), BEGINNING);
            admitted.map_err(Failure::setup)?;
        }
        let (tense, forged) = (self::policy(rules, &[TENSION])?, self::policy(&forged, &[])?);
        let (tense, forged) = (Arc::new(tense), Arc::new(forged));
        Ok(Self { verifier, houses, policy, tense, forged })
    }

    /// Every mailbox of the federation, with its relay.
    pub(crate) fn mailboxes(&self) -> impl Iterator<Item = (&SpiffeId, &Address)> {
        let systems = self.houses.values().flat_map(|house| &house.systems);
        systems.flat_map(|(id, system)| system.addresses.iter().map(move |a| (id, a)))
    }

    /// The certificate of whoever signed, by its fingerprint.
    pub(crate) fn certificate(&self, signer: &kuriiri_types::Fingerprint) -> Option<&Bytes> {
        let mut signers = self.houses.values().flat_map(House::signers);
        signers.find(|s| s.fingerprint() == *signer).map(|s| s.certificate())
    }
}

impl House {
    fn make(
        ministry: &Ministry,
        authorities: &mut Authorities,
        policy: &Policy,
    ) -> Result<Self, Failure> {
        let validity = Validity::days(BEGINNING.before(Duration::from_secs(86_400)), 365);
        let authority = Authority::new(ministry, validity).map_err(Failure::setup)?;
        authorities.add(ministry, authority.certificate_pem()).map_err(Failure::setup)?;
        let signer = |path: &str| {
            let id = format!("spiffe://{ministry}/{path}").parse().map_err(Failure::setup)?;
            let issued = authority.issue(&id, Purpose::Signing, validity);
            let issued = issued.map_err(Failure::setup)?;
            let signer = Signer::from_pem(&issued.certificate_pem, &issued.key_pem);
            signer.map(Arc::new).map_err(Failure::setup)
        };
        let mut systems = BTreeMap::new();
        for (name, mailboxes) in SYSTEMS {
            let signer = signer(&format!("system/{name}"))?;
            let addresses = mailboxes.iter().map(|m| Address::new(m, ministry.clone()));
            let addresses = addresses.collect::<Result<_, _>>().map_err(Failure::setup)?;
            systems.insert(signer.id().clone(), System { signer, addresses });
        }
        Ok(Self { relay: signer("relay/r1")?, systems, peers: peers(ministry, policy) })
    }

    fn signers(&self) -> impl Iterator<Item = &Arc<Signer>> {
        [&self.relay].into_iter().chain(self.systems.values().map(|s| &s.signer))
    }

    /// What its engine is made of.
    pub(crate) fn config(&self, ministry: &Ministry, policy: Arc<Policy>) -> Config {
        let systems = self.systems.iter();
        Config {
            ministry: ministry.clone(),
            signer: Arc::clone(&self.relay),
            codec: Arc::new(WireCodec),
            policy,
            systems: systems.map(|(id, s)| (id.clone(), s.addresses.clone())).collect(),
            clearances: BTreeMap::new(),
            officers: BTreeMap::new(),
        }
    }
}

/// Reads and writes signed bytes for engines.
struct WireCodec;

impl Codec for WireCodec {
    fn header(&self, bytes: &Bytes) -> Option<Header> {
        header::decode(bytes).ok()
    }

    fn approval(&self, bytes: &Bytes) -> Option<Approval> {
        approval::decode(bytes).ok()
    }

    fn encode_receipt(&self, receipt: &Receipt) -> Bytes {
        receipt::encode(receipt)
    }
}

fn policy(rules: &str, local: &[&str]) -> Result<Policy, Failure> {
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
    Policy::compile(sources).map_err(Failure::setup)
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

fn peers(of: &Ministry, policy: &Policy) -> Vec<Ministry> {
    let federation = policy.federation();
    let here = policy.node(of);
    let linked =
        federation.nodes().filter(|(id, _)| here.is_some_and(|h| federation.linked(h, *id)));
    linked.filter_map(|(_, node)| node.domain().cloned()).collect()
}
