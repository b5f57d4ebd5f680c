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

mod answer;
mod claims;
mod compare;
mod coverage;
mod embedded;
mod expect;
mod fields;
mod label;
mod question;
mod read;
mod run;
mod trials;
mod value;

pub use answer::{Answer, Difference, TrialOutcome, TrialReport, TrialResult};
pub use coverage::Coverage;
pub(crate) use embedded::{Embedded, read_embedded};
pub use fields::TrialFault;
pub(crate) use question::Trial;
pub use run::Tester;
pub use trials::{TRIALS_MAX, Trials};
pub(crate) use value::Value;
