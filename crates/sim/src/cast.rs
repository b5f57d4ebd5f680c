//! Who takes part: the example federation with its keys, made once for all worlds.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use kuriiri_certs::{Authority, Purpose, Validity};
use kuriiri_engine::{Config, LogConfig, Retention, SignedSet, SystemClearance};
use kuriiri_merkle::digest;
use kuriiri_policy::Policy;
use kuriiri_seal::{Authorities, NoteKey, Signer, Verifier};
use kuriiri_tlog::{Cosigner, LogKeys, NoteSigner, ReceiptVerifier, log_origin, nth_log_origin};
use kuriiri_types::{Address, Codec, Ministry, SpiffeId};

use crate::{
    clock::BEGINNING,
    failure::Failure,
    membership::{HUB, Known, federations, members, peers},
    rulebook::{Common, Rulebook},
};

/// The systems of each relay and the mailboxes of each system.
const SYSTEMS: [(&str, &[&str]); 2] =
    [("kirjaamo", &["kirjaamo"]), ("tilanne", &["tilanne", "paivystys"])];
/// The officers of each relay, all in the one role.
pub(crate) const OFFICERS: [&str; 4] = ["anna", "bertta", "cecilia", "daavid"];
/// The role that they hold.
pub(crate) const ROLE: &str = "release";
/// The officers of the hub who sign the files of the federation.
const STEWARDS: [&str; 2] = ["sulo", "taru"];

/// The shortest retention of headers, in days.
pub(crate) const KEEP_DAYS: u32 = 100;
/// The label whose headers are kept longer, and for how many days.
const KEPT_LONGER: (&str, &str, u32) = ("FI", "SALP", 130);

/// A system that is cleared for less than its ministry, and its levels.
const LESS_CLEARED: (&str, [&str; 2]) =
    ("spiffe://verkko.example/system/tilanne", ["JULK", "SALP"]);

/// The relays and systems of the federation.
pub(crate) struct Cast {
    /// Knows every signer.
    pub(crate) verifier: Verifier,
    /// Knows every log.
    pub(crate) receipts: ReceiptVerifier,
    pub(crate) houses: BTreeMap<Ministry, House>,
    pub(crate) rules: Rulebook,
    /// The texts of the federation files, in the order in which they come into force.
    pub(crate) federations: Vec<String>,
    /// How long every relay keeps headers.
    pub(crate) retention: Retention,
}

/// What belongs to one relay.
pub(crate) struct House {
    /// Signs the log of its relay.
    pub(crate) log: Arc<NoteSigner>,
    /// Cosigns the checkpoints of its peers.
    pub(crate) cosigner: Arc<Cosigner>,
    pub(crate) systems: BTreeMap<SpiffeId, System>,
    pub(crate) officers: BTreeMap<SpiffeId, Arc<Signer>>,
    /// With what its systems and officers sign after the authority of their ministry has changed.
    pub(crate) renewed: BTreeMap<SpiffeId, Arc<Signer>>,
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
        let mut authorities = Authorities::new();
        let (mut houses, mut known) = (BTreeMap::new(), BTreeMap::new());
        let mut stewards = [Vec::new(), Vec::new()];
        for ministry in members()? {
            let (first, second) = (Founder::of(&ministry)?, Founder::of(&ministry)?);
            for founder in [&first, &second] {
                let ca = founder.authority.certificate_pem();
                authorities.add(&ministry, ca).map_err(Failure::setup)?;
            }
            let house = House::make(&first, &second)?;
            if ministry.as_str() == HUB {
                stewards = [first.officers(&STEWARDS)?, second.officers(&STEWARDS)?];
            }
            known.insert(ministry.clone(), house.known([&first, &second]));
            houses.insert(ministry, house);
        }
        let federations = federations(&known)?;
        let [first, second] = &stewards;
        // Who signs a file is known by the one before it.
        let signed = federations.iter().zip([first, first, second]);
        let signed: Vec<Common<'_>> =
            signed.map(|(federation, stewards)| Common { stewards, federation }).collect();
        let rules = Rulebook::make(&signed)?;
        let mut keys = LogKeys::new();
        for house in houses.values() {
            keys.add(house.log.verifier_key()).map_err(Failure::setup)?;
        }
        let receipts = ReceiptVerifier::new(keys);
        let verifier = Verifier::new(authorities);
        for signer in houses.values().flat_map(House::signers) {
            let admitted = verifier.admit_certificate(signer.certificate(), BEGINNING);
            admitted.map_err(Failure::setup)?;
        }
        let (policy, level, days) = KEPT_LONGER;
        let longer = [(policy.to_owned(), level.to_owned(), days)];
        let retention = Retention::new(KEEP_DAYS, longer, &rules.example);
        let retention = retention.map_err(Failure::Setup)?;
        Ok(Self { verifier, receipts, houses, rules, retention, federations })
    }

    /// Every mailbox of the federation, with its relay.
    pub(crate) fn mailboxes(&self) -> impl Iterator<Item = (&SpiffeId, &Address)> {
        let systems = self.houses.values().flat_map(|house| &house.systems);
        systems.flat_map(|(id, system)| system.addresses.iter().map(move |a| (id, a)))
    }

    /// Every officer of the federation.
    pub(crate) fn officers(&self) -> impl Iterator<Item = &Arc<Signer>> {
        self.houses.values().flat_map(|house| house.officers.values())
    }

    /// The certificate of whoever signed, by its fingerprint.
    pub(crate) fn certificate(&self, signer: &kuriiri_types::Fingerprint) -> Option<&Bytes> {
        let mut signers = self.houses.values().flat_map(House::signers);
        signers.find(|s| s.fingerprint() == *signer).map(|s| s.certificate())
    }
}

/// Whoever gives the persons and machines of a ministry their keys.
struct Founder<'a> {
    ministry: &'a Ministry,
    authority: Authority,
    validity: Validity,
}

impl<'a> Founder<'a> {
    fn of(ministry: &'a Ministry) -> Result<Self, Failure> {
        let validity = Validity::days(BEGINNING.before(Duration::from_secs(86_400)), 365);
        let authority = Authority::new(ministry, validity).map_err(Failure::setup)?;
        Ok(Self { ministry, authority, validity })
    }

    fn signer(&self, path: &str) -> Result<Arc<Signer>, Failure> {
        let id = format!("spiffe://{}/{path}", self.ministry).parse().map_err(Failure::setup)?;
        let issued = self.authority.issue(&id, Purpose::Signing, self.validity);
        let issued = issued.map_err(Failure::setup)?;
        let signer = Signer::from_pem(&issued.certificate_pem, &issued.key_pem);
        signer.map(Arc::new).map_err(Failure::setup)
    }

    fn officers(&self, names: &[&str]) -> Result<Vec<Arc<Signer>>, Failure> {
        names.iter().map(|name| self.signer(&format!("officer/{name}"))).collect()
    }

    fn systems(&self) -> Result<BTreeMap<SpiffeId, System>, Failure> {
        let mut systems = BTreeMap::new();
        for (name, mailboxes) in SYSTEMS {
            let signer = self.signer(&format!("system/{name}"))?;
            let addresses = mailboxes.iter().map(|m| Address::new(m, self.ministry.clone()));
            let addresses = addresses.collect::<Result<_, _>>().map_err(Failure::setup)?;
            systems.insert(signer.id().clone(), System { signer, addresses });
        }
        Ok(systems)
    }
}

impl House {
    fn make(founder: &Founder<'_>, successor: &Founder<'_>) -> Result<Self, Failure> {
        let ministry = founder.ministry;
        let systems = founder.systems()?;
        let by_id = |signer: Arc<Signer>| (signer.id().clone(), signer);
        let officers = founder.officers(&OFFICERS)?.into_iter().map(by_id).collect();
        let renewed = successor.systems()?.into_values().map(|system| system.signer);
        let renewed = renewed.chain(successor.officers(&OFFICERS)?).map(by_id).collect();
        let key = NoteKey::generate().map_err(Failure::setup)?.0;
        let origin = log_origin(ministry).parse().map_err(Failure::setup)?;
        let log = Arc::new(NoteSigner::new(origin, key));
        let name = format!("{ministry}/witness").parse().map_err(Failure::setup)?;
        let key = NoteKey::generate().map_err(Failure::setup)?.0;
        let cosigner = Arc::new(Cosigner::new(name, key));
        Ok(Self { log, cosigner, systems, officers, renewed, peers: peers(ministry)? })
    }

    /// By what all others know it, with the certificates of its authorities.
    fn known(&self, founders: [&Founder<'_>; 2]) -> Known {
        let (log, witness) = (self.log.verifier_key(), self.cosigner.verifier_key());
        let authorities = founders.map(|founder| founder.authority.certificate_pem().to_owned());
        Known { authorities, log: log.clone(), witness: witness.clone() }
    }

    fn signers(&self) -> impl Iterator<Item = &Arc<Signer>> {
        let systems = self.systems.values().map(|system| &system.signer);
        systems.chain(self.officers.values()).chain(self.renewed.values())
    }

    /// One system may originate less than its ministry.
    fn clearances(&self) -> BTreeMap<SpiffeId, Vec<SystemClearance>> {
        let held = || SystemClearance {
            policy: "FI".to_owned(),
            levels: LESS_CLEARED.1.map(str::to_owned).to_vec(),
            grants: Vec::new(),
        };
        let is_it = |id: &&SpiffeId| id.to_string() == LESS_CLEARED.0;
        self.systems.keys().filter(is_it).map(|id| (id.clone(), vec![held()])).collect()
    }

    /// What signs its log of this number.
    pub(crate) fn nth_log(
        &self,
        ministry: &Ministry,
        number: u32,
    ) -> Result<Arc<NoteSigner>, Failure> {
        let origin = nth_log_origin(ministry, number).parse().map_err(Failure::setup)?;
        Ok(Arc::new(self.log.renamed(origin)))
    }

    /// What its engine is made of; with the last checkpoint of its first log if that was lost, and it
    /// goes on with a second one.
    pub(crate) fn config(
        &self,
        (ministry, lost): (&Ministry, Option<Bytes>),
        (policy, files): (Arc<Policy>, SignedSet),
        retention: &Retention,
        codec: Arc<dyn Codec>,
    ) -> Result<Config, Failure> {
        let systems = self.systems.iter();
        let roles = BTreeSet::from([ROLE.to_owned()]);
        Ok(Config {
            ministry: ministry.clone(),
            log: LogConfig {
                signer: self.nth_log(ministry, 1 + u32::from(lost.is_some()))?,
                cosigner: Arc::clone(&self.cosigner),
                secret: digest(ministry.as_str().as_bytes()).0,
                software: "kuriiri in a simulation".to_owned(),
                restored: lost,
            },
            retention: retention.clone(),
            files,
            codec,
            policy,
            systems: systems.map(|(id, s)| (id.clone(), s.addresses.clone())).collect(),
            clearances: self.clearances(),
            officers: self.officers.keys().map(|id| (id.clone(), roles.clone())).collect(),
        })
    }
}
