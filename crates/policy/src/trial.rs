//! Test cases: what a policy is expected to answer, and whether it does.
//!
//! Two forms are read, in JSON or TOML alike, because both come as one serde value:
//!
//! * the form of the vectors: `{ id, kind, title, in, expect }` under `cases`, with the kinds
//!   `admits`, `decide`, `join`, `bundle` and `marking`;
//! * the short form that officers write, under `test`, and that the files of a policy may carry:
//!   `name`, `from`, `to`, `via`, `label = "FI TL3 REL{PLM}"`, `sealed`, `expect`, `reasons`, and
//!   where they matter `precedence`, `size`, `approvals`, `roles`, `type`, `now`, `created`,
//!   `expires` and the other inputs of `decide`.
//!
//! ```
//! # use kuriiri_policy::Trials;
//! let trials: Trials = toml::from_str(
//!     r#"
//!     [[test]]
//!     name = "TL III must not pass the hub"
//!     from = "sm"
//!     to = "plm"
//!     via = "hub"
//!     label = "FI TL3"
//!     sealed = true
//!     expect = "deny"
//!     reasons = ["TRANSIT_FORBIDDEN", "next:LEVEL"]
//!     "#,
//! )?;
//! assert_eq!(trials.len(), 1);
//! # Ok::<(), toml::de::Error>(())
//! ```

mod coverage;
mod embedded;
mod expect;
pub(crate) mod fields;
mod label;
mod read;
mod run;
pub(crate) mod value;

use std::{fmt, time::Duration};

use kuriiri_types::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::{
    case::{Case, CaseClearance},
    label::Use,
    replace::{Candidate, Version},
    report::Duties,
    text::Lang,
};
pub use coverage::Coverage;
pub(crate) use embedded::{Embedded, read_embedded};
use expect::Expected;
pub use fields::TrialFault;
use fields::{Fields, list};
use label::GivenLabel;
pub use run::Tester;
use value::Value;

/// Cases in one file. More: the file is refused.
pub const TRIALS_MAX: usize = 65_536;

/// The cases of one file. A case that is not understood does not spoil the others: it stands in
/// the report as [`TrialOutcome::Broken`].
#[derive(Debug, Clone, Default)]
pub struct Trials(Vec<Trial>);

/// One case, or why it is not understood.
#[derive(Debug, Clone)]
pub(crate) struct Trial {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) body: Result<(Body, Expected), TrialFault>,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// Does a clearance admit a label?
    Admits {
        policy: String,
        label: GivenLabel,
        /// None: the holder has no clearance under the policy.
        clearance: Option<CaseClearance>,
        use_: Use,
        now: Timestamp,
    },
    /// May a message take its next step?
    Decide(Box<Move>),
    /// What is the label of the whole?
    Join { policy: String, labels: Vec<GivenLabel>, now: Timestamp },
    /// May a new file replace the one in force?
    Bundle { now: Timestamp, current: Option<Version>, candidate: Candidate },
    /// What do people see?
    Marking { policy: String, label: GivenLabel, lang: Lang },
}

/// A message on its way, as a case gives it.
#[derive(Debug, Clone)]
pub(crate) struct Move {
    pub(crate) case: Case,
    /// All labels of the message; `case.label` is the first.
    pub(crate) labels: Vec<GivenLabel>,
    pub(crate) edits: Edits,
}

/// Changes to the files that hold for one case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Edits {
    pub(crate) disable_rules: Vec<String>,
    /// Node, policy (none: the first that it has), and the clearance that it has instead.
    pub(crate) clearance: Vec<Revision>,
    pub(crate) carriage: Vec<Revision>,
}

/// A clearance that a node has instead of the one in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revision {
    pub(crate) node: String,
    pub(crate) policy: Option<String>,
    /// None: it has none.
    pub(crate) held: Option<(Vec<String>, Vec<String>)>,
}

impl Edits {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What the policy answered, in the words of the cases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Answer {
    /// `PERMIT`, `HOLD` or `DENY`; of a bundle its acceptance; of a marking nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// Every reason, or everything that a hold waits for, in the order of the gates.
    pub reasons: Vec<String>,
    /// The level of the effective label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// The effective label, or that of the join.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The marking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What a permit or a hold obliges to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obligations: Option<Duties>,
}

/// One field in which the answer is not the expected one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The field of `expect`, such as `reasons` or `obligations.onward`.
    pub field: String,
    /// What the case expects.
    pub expected: String,
    /// What the policy answers.
    pub got: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, expected, got } = self;
        write!(f, "{field}: expected {expected}, got {got}")
    }
}

/// How one case came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum TrialOutcome {
    /// The policy answers as expected.
    Held,
    /// It answers otherwise.
    Failed {
        /// Where the two differ.
        differences: Vec<Difference>,
        /// The whole answer.
        got: Box<Answer>,
    },
    /// The case is not understood, so nothing is known.
    Broken {
        /// The field and what is wrong with it.
        why: String,
    },
}

/// One case with its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrialResult {
    /// The kind of file that carries the test; none for a file of tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The case's `id` or `name`, or its place in the file.
    pub name: String,
    /// Its title; often empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What came out.
    #[serde(flatten)]
    pub outcome: TrialOutcome,
}

impl TrialResult {
    /// True when the policy answered as expected.
    pub fn held(&self) -> bool {
        self.outcome == TrialOutcome::Held
    }
}

/// One line when it held, and one more for each difference when it did not.
impl fmt::Display for TrialResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.held() { "✓" } else { "✗" };
        write!(f, "{mark} {}", self.name)?;
        if !self.title.is_empty() {
            write!(f, " {}", self.title)?;
        }
        if let Some(file) = &self.file {
            write!(f, " ({file})")?;
        }
        match &self.outcome {
            TrialOutcome::Held => Ok(()),
            TrialOutcome::Broken { why } => write!(f, "\n    not understood: {why}"),
            TrialOutcome::Failed { differences, .. } => {
                differences.iter().try_for_each(|difference| write!(f, "\n    {difference}"))
            }
        }
    }
}

/// All results of a run, in the order of the cases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrialReport {
    /// One for each case.
    pub results: Vec<TrialResult>,
    /// Which rules and reasons the cases touched.
    pub coverage: Coverage,
}

impl TrialReport {
    /// Those that failed or are broken.
    pub fn not_held(&self) -> impl Iterator<Item = &TrialResult> {
        self.results.iter().filter(|result| !result.held())
    }

    /// True when there was a case and every case held.
    pub fn all_held(&self) -> bool {
        !self.results.is_empty() && self.not_held().next().is_none()
    }
}

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

/// The clocks' difference when a case says nothing of it.
pub(crate) const NO_SKEW: Duration = Duration::ZERO;
