//! How long the headers of messages are kept beside the log, by their labels.

use std::time::Duration;

use kuriiri_policy::Policy;
use kuriiri_types::{WireLabel, limits::LOG_RETENTION_MIN};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long headers are kept. Entries, which hold none, are kept for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Those of messages of labels that no rule names.
    rest: Duration,
    labels: Vec<LabelRule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct LabelRule {
    /// The id of the label policy, and its name for people.
    catalogue: String,
    policy: String,
    /// The id of the level.
    level: String,
    keep: Duration,
}

impl Default for Retention {
    /// For good, whatever the label.
    fn default() -> Self {
        Self { rest: Duration::MAX, labels: Vec::new() }
    }
}

impl Retention {
    /// So many days for everything but the labels that are named, by policy, level and days.
    ///
    /// # Errors
    /// When no catalogue knows a label, one is named twice, or days are fewer than
    /// [`LOG_RETENTION_MIN`]; in words for the operator, whose configuration it is.
    pub fn new(
        days: u32,
        labels: impl IntoIterator<Item = (String, String, u32)>,
        policy: &Policy,
    ) -> Result<Self, String> {
        let mut all: Vec<LabelRule> = Vec::new();
        for (name, level, days) in labels {
            let known = policy.catalogue(&name);
            let found = known.and_then(|known| Some((known, known.level_called(&level)?)));
            let Some((known, id)) = found else {
                return Err(format!("no catalogue knows the label `{name} {level}`"));
            };
            let (catalogue, policy, level) = (known.id().into(), known.name().into(), id.into());
            let rule = LabelRule { catalogue, policy, level, keep: checked(days)? };
            if all.iter().any(|one| (&one.catalogue, &one.level) == (&rule.catalogue, &rule.level))
            {
                let level = rule.level;
                return Err(format!("the label `{name} {level}` is there twice"));
            }
            all.push(rule);
        }
        Ok(Self { rest: checked(days)?, labels: all })
    }

    /// How long the header of a message with this label is kept. With a label that the rules in force
    /// do not know, as long as any.
    pub fn of(&self, label: Option<&WireLabel>, policy: &Policy) -> Duration {
        let Some(label) = label.filter(|_| !self.labels.is_empty()) else { return self.rest };
        let longest = || self.labels.iter().map(|rule| rule.keep).fold(self.rest, Duration::max);
        let catalogue = policy.catalogue(&label.policy);
        let level =
            catalogue.and_then(|known| Some((known.id(), known.level_called(&label.level)?)));
        let Some((catalogue, level)) = level else { return longest() };
        let is_it = |rule: &&LabelRule| {
            (rule.catalogue.as_str(), rule.level.as_str()) == (catalogue, level)
        };
        self.labels.iter().find(is_it).map_or(self.rest, |rule| rule.keep)
    }

    /// True when no header ever leaves.
    pub fn is_for_good(&self) -> bool {
        self.rest == Duration::MAX
    }

    /// In words, for people.
    pub fn words(&self) -> String {
        if self.rest == Duration::MAX {
            return "headers are kept for good".into();
        }
        let days = |keep: Duration| keep.as_secs() / DAY.as_secs();
        let label =
            |rule: &LabelRule| format!("{} {} {}", rule.policy, rule.level, days(rule.keep));
        let labels: Vec<String> = self.labels.iter().map(label).collect();
        let rest = format!("all else {}", days(self.rest));
        format!("days kept: {}", [labels, vec![rest]].concat().join(", "))
    }
}

fn checked(days: u32) -> Result<Duration, String> {
    let keep = DAY.saturating_mul(days);
    if keep >= LOG_RETENTION_MIN {
        return Ok(keep);
    }
    let least = LOG_RETENTION_MIN.as_secs() / DAY.as_secs();
    Err(format!("{days} days are too few: what waits and repeats may need {least}"))
}
