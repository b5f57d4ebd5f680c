//! The cases of one file.

use serde::{Deserialize, Deserializer, de::Error};

use super::{
    fields::{Fields, TrialFault, list},
    question::Trial,
    read,
    value::Value,
};

/// Cases in one file. More: the file is refused.
pub const TRIALS_MAX: usize = 65_536;

/// The cases of one file. A case that is not understood does not spoil the others: it stands in
/// the report as [`TrialOutcome::Broken`](crate::TrialOutcome::Broken).
#[derive(Debug, Clone, Default)]
pub struct Trials(Vec<Trial>);

impl Trials {
    /// How many cases there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Trial> {
        self.0.iter()
    }

    fn read(value: &Value) -> Result<Self, TrialFault> {
        let mut trials = Vec::new();
        if let Value::List(cases) = value {
            read_all("", cases, &mut trials)?;
            return Ok(Self(trials));
        }
        let mut fields = Fields::of("", value)?;
        for words in ["note", "title", "source", "version", "generated"] {
            fields.take(words);
        }
        let format = fields.text(&["format"])?;
        if let Some(format) = format.filter(|format| !FORMATS.contains(&format.as_str())) {
            let what =
                format!("`{format}` is not a format of test cases here; {}", FORMATS.join(", "));
            return Err(TrialFault::new("format", what));
        }
        let mut found = false;
        for key in ["cases", "case", "tests", "test"] {
            if let Some(cases) = fields.take(key) {
                read_all(key, list(key, cases)?, &mut trials)?;
                found = true;
            }
        }
        if !found {
            return Err(TrialFault::new("", "there is neither `cases` nor `test`"));
        }
        fields.done()?;
        Ok(Self(trials))
    }
}

/// What `format` may say.
const FORMATS: [&str; 2] = ["label-vectors/1", "policy-tests/1"];

fn read_all(key: &str, cases: &[Value], trials: &mut Vec<Trial>) -> Result<(), TrialFault> {
    if trials.len().saturating_add(cases.len()) > TRIALS_MAX {
        return Err(TrialFault::new(key, format!("at most {TRIALS_MAX} cases are allowed")));
    }
    trials.extend(cases.iter().enumerate().map(|(place, case)| read::trial(place, case)));
    Ok(())
}

impl<'de> Deserialize<'de> for Trials {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::read(&value).map_err(D::Error::custom)
    }
}
