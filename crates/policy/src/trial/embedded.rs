//! Tests that a file of the policy carries, so that it cannot be put in force without them.

use std::sync::Arc;

use kuriiri_types::FileKind;

use super::{
    question::{Body, Trial},
    read,
    value::Value,
};
use crate::error::{Flaw, PolicyError};

/// Tests in one file of the policy. More: the file is refused.
const EMBEDDED_MAX: usize = 1024;

/// A test with the file that carries it.
#[derive(Debug, Clone)]
pub(crate) struct Embedded {
    pub(crate) file: FileKind,
    pub(crate) tests: Arc<[Trial]>,
}

/// Reads the `[[test]]` entries of a file. Here a test that is not understood spoils the file:
/// somebody signed it.
pub(crate) fn read_embedded(
    file: FileKind,
    written: &[Value],
) -> Result<Arc<[Trial]>, PolicyError> {
    if written.len() > EMBEDDED_MAX {
        return Err(PolicyError::content(file, "its tests", Flaw::TooMany(EMBEDDED_MAX)));
    }
    let read = |(place, value)| {
        let trial = read::trial(place, value);
        let wrong = |what: String| {
            PolicyError::content(file, format!("test `{}`", trial.name), Flaw::Test(what))
        };
        match &trial.body {
            Err(fault) => Err(wrong(fault.to_string())),
            Ok((Body::Decide(asked), _)) if !asked.edits.is_empty() => {
                Err(wrong("a test within a file cannot change the files".into()))
            }
            Ok(_) => Ok(trial),
        }
    };
    written.iter().enumerate().map(read).collect()
}
