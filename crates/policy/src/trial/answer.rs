//! What a policy answers, and whether it is what a case expects.

use std::fmt;

use serde::Serialize;

use super::coverage::Coverage;
use crate::report::Duties;

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
