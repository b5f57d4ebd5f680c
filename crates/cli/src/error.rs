//! `kuriiri error`: what a stable error number means.

use kuriiri_types::{CODES, Code};
use serde::Serialize;

use crate::{
    exit::{DONE, Failure, Outcome},
    output::{Output, OutputError},
};

/// Explain an error number, or list all of them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The number, as KRI-2101 or 2101. Without it, all are listed.
    number: Option<String>,
}

#[derive(Serialize)]
struct Entry {
    code: String,
    fault: &'static str,
    retry: bool,
    title: &'static str,
    advice: &'static str,
}

pub(crate) fn run(args: &Args, output: Output) -> Outcome {
    match &args.number {
        None => CODES.iter().try_for_each(|entry| show(entry.0, output))?,
        Some(text) => {
            let digits = text.trim_start_matches("KRI-");
            let code = digits.parse().ok().and_then(Code::from_number);
            let unknown =
                || Failure::usage(format!("`{text}` is not an error number of this version"));
            show(code.ok_or_else(unknown)?, output)?;
        }
    }
    Ok(DONE)
}

fn show(code: Code, output: Output) -> Result<(), OutputError> {
    let entry = Entry {
        code: code.to_string(),
        fault: code.fault().as_str(),
        retry: code.retry(),
        title: code.title(),
        advice: code.advice(),
    };
    output.data(&entry, || {
        let retry = if entry.retry { "a retry can help" } else { "a retry does not help" };
        let Entry { code, fault, title, advice, .. } = &entry;
        format!("{code}  {title}\n          fault: {fault}; {retry}\n          {advice}")
    })
}
