//! What a case is, and how it ends.

use std::{fmt, future::Future, pin::Pin};

use crate::{need::Need, partner::Partner};

/// One thing that a bad partner does, and what a right relay does then.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its number, which never changes: the hundreds are its family.
    pub number: u16,
    /// What the partner does, in a few words.
    pub title: &'static str,
    /// What a right relay does.
    pub demands: &'static str,
    /// What it needs besides a member with a link.
    pub needs: &'static [Need],
    /// Whether it takes as long as a relay waits for others.
    pub waits: bool,
    run: Run,
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The relay did what a right relay does.
    Right {
        /// What it did.
        seen: String,
    },
    /// It did something else.
    Wrong {
        /// What it did.
        saw: String,
    },
    /// The case was not run.
    Skipped {
        /// Why not.
        why: String,
    },
}

impl Verdict {
    /// The word for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Right { .. } => "right",
            Self::Wrong { .. } => "wrong",
            Self::Skipped { .. } => "skipped",
        }
    }

    /// What was seen, or why nothing was.
    pub fn words(&self) -> &str {
        match self {
            Self::Right { seen } => seen,
            Self::Wrong { saw } => saw,
            Self::Skipped { why } => why,
        }
    }
}

/// What a right relay was seen to do.
pub(crate) type Seen = Result<String, Halt>;
/// A case that runs.
pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Seen> + Send + 'a>>;
type Run = for<'a> fn(&'a Partner) -> Running<'a>;

/// Why a case is not right.
#[derive(Debug)]
pub(crate) enum Halt {
    /// This is what the relay did instead.
    Wrong(String),
    /// Here it cannot be seen, for this reason.
    Skipped(String),
}

/// The relay did something else.
pub(crate) fn wrong(saw: impl fmt::Display) -> Halt {
    Halt::Wrong(saw.to_string())
}

impl Case {
    /// A case that needs nothing else and takes moments.
    pub(crate) const fn new(
        number: u16,
        title: &'static str,
        demands: &'static str,
        run: Run,
    ) -> Self {
        Self { number, title, demands, needs: &[], waits: false, run }
    }

    pub(crate) const fn needs(self, needs: &'static [Need]) -> Self {
        Self { needs, ..self }
    }

    pub(crate) const fn waits(self) -> Self {
        Self { waits: true, ..self }
    }

    pub(crate) async fn run(&self, partner: &Partner) -> Verdict {
        match (self.run)(partner).await {
            Ok(seen) => Verdict::Right { seen },
            Err(Halt::Wrong(saw)) => Verdict::Wrong { saw },
            Err(Halt::Skipped(why)) => Verdict::Skipped { why },
        }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.title)
    }
}
