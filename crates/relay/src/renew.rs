//! Beginning a new log where the state is an old copy and its witnesses hold more than it has.

use std::{fs, path::Path};

use kuriiri_store::{LogBegun, Options, Store};
use kuriiri_tlog::{Checkpoint, VerifierKey, log_number};
use kuriiri_types::Code;

use crate::{
    config::Config,
    error::{ConfigError, RelayError},
    rollback::{WITNESSED, grew_out_of, verify},
    state::store_options,
};

/// A log that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// The key that checks it, under its own name.
    pub key: VerifierKey,
    /// What was known last of the log before.
    pub last: Checkpoint,
}

/// Ends the log of a relay that does not run, and begins the next one on the same state: what waits
/// goes on its way, but for receipts. The new log's first entry will name the last checkpoint of the
/// one before: from this file, or else from what a witness showed when the relay was started last.
/// Blocks.
///
/// # Errors
/// When there is no such checkpoint, or the log has all that it says, so that nothing is lost; or the
/// state cannot be opened.
pub fn renew_log(config: &Config, last: Option<&Path>) -> Result<Renewed, RelayError> {
    let file = last.map_or_else(|| config.state().join(WITNESSED), Path::to_owned);
    let wrong = |what: String| ConfigError::new(&file, Code::LOG_BEHIND, what);
    let note = fs::read(&file).map_err(|error| {
        wrong(format!("{error}; start the relay, and its witnesses show what they hold"))
    })?;
    let options = store_options(&config.logs.dir);
    let (begun, head) = Store::log_stands(config.state(), &options)?;
    let held = verify(config.logs.signer.verifier_key(), &note);
    let held = held.map_err(|error| wrong(format!("it is no checkpoint of this log: {error}")))?;
    let number = log_number(&held.origin).unwrap_or(1);
    if number < begun.number {
        return Err(wrong("it is of a log that has ended".into()).into());
    }
    if number == begun.number && held.size <= head.size && has(config, &options, &held)? {
        return Err(wrong("the log has all that it says; start the relay on it".into()).into());
    }
    let begun = LogBegun { number: number.saturating_add(1), last: Some(note.into()) };
    Store::renew_log(config.state(), &options, &begun)?;
    let key = config.log_signer(begun.number)?.verifier_key().clone();
    Ok(Renewed { key, last: held })
}

fn has(config: &Config, options: &Options, held: &Checkpoint) -> Result<bool, RelayError> {
    let store = Store::open(config.state(), options.clone())?;
    Ok(grew_out_of(&store, held)?)
}
