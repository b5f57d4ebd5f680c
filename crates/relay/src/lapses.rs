//! What of a relay has an end: certificates, authorities, revocation lists, signed files, and who signed them.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use kuriiri_policy::Federation;
use kuriiri_seal::CertificateValidity;
use kuriiri_types::{Ministry, Timestamp};
use kuriiri_wire::admin::Lapse;

use crate::{
    error::ConfigError,
    record::ListsOf,
    signed::{FileVersion, Part, SignedFile, SignedFiles, Signers},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What happens when each of them ends, and what to do before.
const OWN: &str = "peers and systems refuse the relay, and it does not start; have it renewed, put it in place and reload";
const AUTHORITY: &str =
    "it is believed here until the federation file takes it out; ask the ministry for its next one";
const LIST: &str = "whoever it covers is refused, their links end, and what they signed waits; put the newest list in place";
const SIGNATURES: &str =
    "the file stays in force; put elsewhere it counts no more, so have it signed again";
const SIGNER: &str = "what the person signs counts no more; pin the next certificate, and have the files signed with it";
const FILE: &str = "it stays in force; have it issued again with a later end";

/// Everything of a configuration that can have an end.
pub(crate) struct Ending<'a> {
    pub(crate) ministry: &'a Ministry,
    pub(crate) configuration: &'a Path,
    /// The certificates that the relay shows, and their file.
    pub(crate) own: &'a Own,
    pub(crate) federation: &'a Federation,
    pub(crate) lists: &'a [ListsOf],
    pub(crate) signed: &'a SignedFiles,
    pub(crate) versions: &'a [FileVersion],
    pub(crate) signers: &'a Signers,
}

/// The certificates that a relay shows, its own first.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    pub(crate) file: PathBuf,
    pub(crate) chain: Vec<CertificateValidity>,
}

impl Ending<'_> {
    /// All of it, what ends first first.
    ///
    /// # Errors
    /// When a certificate has no dates that can be read.
    pub(crate) fn all(&self, now: Timestamp) -> Result<Vec<Lapse>, ConfigError> {
        let mut all = self.own();
        all.extend(self.authorities()?);
        all.extend(self.lists());
        all.extend(self.signers());
        for (file, version) in self.signed.0.iter().zip(self.versions) {
            let of_file =
                |what, ends, whose: String, then| lapse((what, &file.path), (whose, ends), then);
            let kind = file.part.kind().as_str();
            let whose = if file.part == Part::LocalRules {
                self.ministry.as_str()
            } else {
                "the federation"
            };
            all.extend(
                version
                    .expires
                    .map(|ends| of_file(format!("signed file ({kind})"), ends, whose.into(), FILE)),
            );
            if let Some((signers, ends)) = self.signatures(file, now) {
                all.push(of_file("signatures of a file".into(), ends, signers, SIGNATURES));
            }
        }
        all.sort_by(|one, other| {
            (one.ends, &one.what, &one.whose).cmp(&(other.ends, &other.what, &other.whose))
        });
        Ok(all)
    }

    fn own(&self) -> Vec<Lapse> {
        let names = std::iter::once("certificate of this relay")
            .chain(std::iter::repeat("authority between this relay and its CA"));
        let of = |(what, dates): (&str, &CertificateValidity)| {
            let whose = self.ministry.to_string();
            lapse((what.into(), &self.own.file), (whose, dates.not_after), OWN)
        };
        names.zip(&self.own.chain).map(of).collect()
    }

    fn authorities(&self) -> Result<Vec<Lapse>, ConfigError> {
        let file = self.signed.0.iter().find(|file| file.part == Part::Federation);
        let path = file.map_or(self.configuration, |file| &file.path);
        let mut all = Vec::new();
        for (_, node) in self.federation.nodes() {
            let Some((ministry, ca)) = node.domain().zip(node.ca()) else { continue };
            let dates = CertificateValidity::all_in(ca);
            let dates = dates.map_err(|error| ConfigError::new(path, error.code(), error))?;
            let of = |dates: CertificateValidity| {
                let what = "certificate authority".to_owned();
                lapse((what, path), (ministry.to_string(), dates.not_after), AUTHORITY)
            };
            all.extend(dates.into_iter().map(of));
        }
        Ok(all)
    }

    fn lists(&self) -> impl Iterator<Item = Lapse> {
        self.lists.iter().flat_map(|of| {
            of.lists.iter().map(|list| {
                let whose = of.ministry.to_string();
                lapse(("revocation list".into(), &of.file), (whose, list.next_update), LIST)
            })
        })
    }

    /// The persons who may sign, each certificate once.
    fn signers(&self) -> Vec<Lapse> {
        let all = self.signers.values().flat_map(|pinned| pinned.validities());
        let of = |(person, dates): (_, CertificateValidity)| {
            let what = "certificate of a signer of files".to_owned();
            lapse((what, self.configuration), (format!("{person}"), dates.not_after), SIGNER)
        };
        let mut all: Vec<Lapse> = all.map(of).collect();
        all.sort_by(|one, other| (&one.whose, one.ends).cmp(&(&other.whose, other.ends)));
        all.dedup();
        all
    }

    /// Who signed a file so that it counts, and when the last of their certificates ends.
    fn signatures(&self, file: &SignedFile, now: Timestamp) -> Option<(String, Timestamp)> {
        let verified = file.verify(self.signers.get(&file.part)?, now).ok()?;
        let names: Vec<_> = verified.signers().iter().map(ToString::to_string).collect();
        let dates = verified.certificates().values();
        let dates = dates.filter_map(|der| CertificateValidity::of_der(der).ok());
        Some((names.join(" "), dates.map(|dates| dates.not_after).max()?))
    }
}

fn lapse((what, file): (String, &Path), (whose, ends): (String, Timestamp), then: &str) -> Lapse {
    Lapse { what, whose, ends, file: file.display().to_string(), then: then.into() }
}

/// How near an end is, as far as that is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nearness {
    /// It ends within so many days: 30, 7 or 1.
    Within(u32),
    /// It ended so many whole days ago.
    Over(u64),
}

impl Nearness {
    fn of(ends: Timestamp, now: Timestamp) -> Option<Self> {
        if now > ends {
            return Some(Self::Over(now.since(ends).as_secs() / DAY.as_secs()));
        }
        let within = |days: &u32| ends.since(now) <= DAY * *days;
        [1, 7, 30].into_iter().find(within).map(Self::Within)
    }
}

/// What was said of ends that are near, so that each is said when it comes nearer, and once a day when it is over.
#[derive(Debug, Default)]
pub(crate) struct Said(HashMap<Lapse, Nearness>);

impl Said {
    /// What is to be said now. What is no longer there is forgotten.
    pub(crate) fn due<'a>(
        &mut self,
        lapses: &'a [Lapse],
        now: Timestamp,
    ) -> Vec<(&'a Lapse, Nearness)> {
        let near = |lapse: &'a Lapse| Some((lapse, Nearness::of(lapse.ends, now)?));
        let near: Vec<_> = lapses.iter().filter_map(near).collect();
        let new =
            near.iter().filter(|(lapse, is)| self.0.get(*lapse) != Some(is)).copied().collect();
        self.0 = near.into_iter().map(|(lapse, is)| (lapse.clone(), is)).collect();
        new
    }

    /// Tells the operator.
    pub(crate) fn tell(&mut self, lapses: &[Lapse], now: Timestamp) {
        for (Lapse { what, whose, ends, file, then }, nearness) in self.due(lapses, now) {
            match nearness {
                Nearness::Within(days) => {
                    tracing::warn!(what, whose, %ends, file, then, "ends within {days} days");
                }
                Nearness::Over(_) => tracing::error!(what, whose, %ends, file, then, "has ended"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn ending(what: &str, ends: Timestamp) -> Lapse {
        lapse((what.into(), Path::new("file")), ("um.example".into(), ends), LIST)
    }

    #[test]
    fn an_end_is_said_thirty_seven_and_one_days_before_and_once_a_day_after() {
        let lapses = [ending("near", NOW.after(40 * DAY)), ending("far", NOW.after(400 * DAY))];
        let (mut said, mut told) = (Said::default(), Vec::new());
        // The relay looks every minute; every hour says the same.
        for hour in 0..43 * 24_u32 {
            let now = NOW.after(Duration::from_secs(3600) * hour);
            for (lapse, nearness) in said.due(&lapses, now) {
                assert_eq!(lapse.what, "near");
                told.push((hour, nearness));
            }
        }
        assert_eq!(
            told,
            [
                (10 * 24, Nearness::Within(30)),
                (33 * 24, Nearness::Within(7)),
                (39 * 24, Nearness::Within(1)),
                (40 * 24 + 1, Nearness::Over(0)),
                (41 * 24, Nearness::Over(1)),
                (42 * 24, Nearness::Over(2)),
            ]
        );
    }

    #[test]
    fn what_was_renewed_is_said_no_more_and_its_next_end_is() {
        let mut said = Said::default();
        let over = [ending("list", NOW.before(DAY))];
        assert_eq!(said.due(&over, NOW).len(), 1);
        assert_eq!(said.due(&over, NOW).len(), 0);
        assert_eq!(said.due(&[ending("list", NOW.after(90 * DAY))], NOW).len(), 0);
        assert!(said.0.is_empty(), "nothing is remembered of what is gone");
        assert_eq!(said.due(&[ending("list", NOW.after(DAY))], NOW).len(), 1);
    }
}
