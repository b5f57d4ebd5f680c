//! `relay.toml` as it is written.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf};

use kuriiri_transport::KeyAgreement;
use kuriiri_types::{Address, Ministry};
use serde::Deserialize;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawConfig {
    pub(super) ministry: Ministry,
    pub(super) relay: String,
    pub(super) listen: SocketAddr,
    pub(super) state: PathBuf,
    pub(super) federation: PathBuf,
    pub(super) catalogues: Vec<PathBuf>,
    pub(super) rules: PathBuf,
    #[serde(default)]
    pub(super) local_rules: Vec<PathBuf>,
    #[serde(default)]
    pub(super) translations: Vec<PathBuf>,
    pub(super) revocation: PathBuf,
    #[serde(default)]
    pub(super) danger_without_revocation: Vec<Ministry>,
    #[serde(default)]
    pub(super) key_agreement: RawKeyAgreement,
    #[serde(default = "yes")]
    pub(super) segmentation_offload: bool,
    pub(super) tls: KeyPair,
    pub(super) log: RawLog,
    pub(super) signers: RawSigners,
    #[serde(default)]
    pub(super) system: Vec<RawSystem>,
    #[serde(default)]
    pub(super) officer: Vec<RawOfficer>,
}

/// The relay's transparency log.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawLog {
    pub(super) dir: PathBuf,
    pub(super) key: PathBuf,
    pub(super) witness_key: PathBuf,
    #[serde(default)]
    pub(super) retention: Option<RawRetention>,
}

/// How long its entries are kept.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRetention {
    pub(super) days: u32,
    #[serde(default)]
    pub(super) label: Vec<RawLabelRetention>,
}

/// How long entries about messages of one label are kept.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLabelRetention {
    pub(super) policy: String,
    pub(super) level: String,
    pub(super) days: u32,
}

/// Certificates of the persons who may sign each kind of file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawSigners {
    pub(super) catalogues: Vec<PathBuf>,
    pub(super) federation: Vec<PathBuf>,
    pub(super) rules: Vec<PathBuf>,
    #[serde(default)]
    pub(super) local_rules: Vec<PathBuf>,
    #[serde(default)]
    pub(super) translations: Vec<PathBuf>,
}

/// An officer of the ministry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOfficer {
    pub(super) name: String,
    pub(super) roles: BTreeSet<String>,
}

/// A certificate and its key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyPair {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// A system of the ministry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSystem {
    pub(super) name: String,
    pub(super) addresses: Vec<Address>,
    #[serde(default)]
    pub(super) clearance: Option<Vec<RawClearance>>,
}

/// What a system is cleared for under one label policy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClearance {
    pub(super) policy: String,
    pub(super) levels: Vec<String>,
    #[serde(default)]
    pub(super) grants: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawKeyAgreement {
    PqRequired,
    #[default]
    PqPreferred,
    Classic,
}

impl From<RawKeyAgreement> for KeyAgreement {
    fn from(raw: RawKeyAgreement) -> Self {
        match raw {
            RawKeyAgreement::PqRequired => Self::PqRequired,
            RawKeyAgreement::PqPreferred => Self::PqPreferred,
            RawKeyAgreement::Classic => Self::Classic,
        }
    }
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use std::fs;

    use kuriiri_damage::any_damage;
    use kuriiri_types::Code;
    use proptest::prelude::*;

    use super::*;
    use crate::Config;

    const ANNOTATED: &str = include_str!("../../../../deploy/relay.toml");

    /// Of the annotated file what is not a comment: damage in those would be lost on the parser.
    fn whole() -> String {
        let is_said = |line: &&str| !line.is_empty() && !line.starts_with('#');
        ANNOTATED.lines().filter(is_said).map(|line| format!("{line}\n")).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn a_damaged_configuration_is_read_or_refused(damage in any_damage()) {
            let text = damage.applied_to_text(&whole());
            if let Ok(raw) = toml::from_str::<RawConfig>(&text) {
                // Unknown keys are refused, so each system was written, with its name.
                prop_assert!(raw.system.len() <= text.matches("name").count());
                prop_assert!(raw.officer.len() <= text.matches("name").count());
            }
        }
    }

    /// None of the files that it names is there, so each is refused with a number and a word.
    #[test]
    fn a_damaged_configuration_ends_with_a_number_and_a_word() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("relay.toml");
        let whole = whole().replace("/var/lib/kuriiri", "nowhere");
        proptest!(ProptestConfig::with_cases(128), |(damage in any_damage())| {
            fs::write(&file, damage.applied_to_text(&whole)).unwrap();
            let Err(error) = Config::load(&file) else { return Err(TestCaseError::fail("taken")) };
            prop_assert!(matches!(error.code(), Code::CONFIG | Code::KEY_FILE), "{}", error);
            prop_assert!(!error.to_string().is_empty());
        });
    }
}
