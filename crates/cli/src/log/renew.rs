//! A new log for a relay whose state is an old copy.

use std::path::PathBuf;

use kuriiri_relay::Config;

use crate::{
    exit::{DONE, Failure, Outcome},
    output::Output,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The relay's configuration. The relay must not run.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The last checkpoint of the log that ends, as a witness or an auditor holds it; what a witness
    /// showed when the relay was started last unless said otherwise.
    #[arg(long, value_name = "CHECKPOINT")]
    last: Option<PathBuf>,
}

pub(super) fn run(args: &Args, output: Output) -> Outcome {
    let config = Config::load(&args.config);
    let config = config.map_err(|error| Failure::new(error.code(), error))?;
    let renewed = kuriiri_relay::renew_log(&config, args.last.as_deref());
    let renewed = renewed.map_err(|error| Failure::new(error.code(), error))?;
    let (key, last) = (renewed.key.to_string(), renewed.last);
    let object = serde_json::json!({
        "event": "renewed", "log": renewed.key.name().as_str(), "vkey": key,
        "before": last.origin, "size": last.size, "root": last.root.to_string(),
    });
    output.data(&object, || {
        format!(
            "{} begins anew and will name {} at {} entries.\nStart the relay. Auditors need to hear \
             what happened, and a line for their policy:\nlog {key}",
            renewed.key.name(),
            last.origin,
            last.size,
        )
    })?;
    Ok(DONE)
}
