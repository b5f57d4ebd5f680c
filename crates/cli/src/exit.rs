//! How a command ends: the exit code, and what is said on standard error.

use std::{fmt, process::ExitCode};

use kuriiri_types::Code;

/// Everything was done.
pub(crate) const DONE: u8 = 0;
/// Something was refused, or a check failed.
pub(crate) const REFUSED: u8 = 1;
/// A fault that the user did not make.
pub(crate) const INTERNAL: u8 = 2;
/// The command or the configuration is wrong (`EX_USAGE` of sysexits).
pub(crate) const USAGE: u8 = 64;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: u8,
    code: Code,
    error: anyhow::Error,
}

/// What a command comes to.
pub(crate) type Outcome = Result<u8, Failure>;

impl Failure {
    /// A failure with its stable number, which also says how to exit.
    pub(crate) fn new(code: Code, error: impl Into<anyhow::Error>) -> Self {
        let exit = match code.number() / 1000 {
            1 => USAGE,
            2 | 3 => REFUSED,
            _ => INTERNAL,
        };
        Self { exit, code, error: error.into() }
    }

    /// A command that makes no sense. Of an error with a cause both are said.
    pub(crate) fn usage(what: impl fmt::Display) -> Self {
        Self::new(Code::USAGE, anyhow::Error::msg(format!("{what:#}")))
    }

    /// What happened, without its number.
    pub(crate) fn error(self) -> anyhow::Error {
        self.error
    }

    /// Says what happened, whose fault it is and what to do, and gives the exit code.
    #[expect(clippy::print_stderr, reason = "the one place that reports failures to people")]
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        let Self { code, error, .. } = self;
        if json {
            let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
            let line = serde_json::json!({
                "error": code.to_string(),
                "fault": code.fault().as_str(),
                "retry": code.retry(),
                "what": chain.join(": "),
                "advice": code.advice(),
            });
            eprintln!("{line}");
        } else {
            eprintln!("error {code}: {error:#}");
            eprintln!("  whose fault: {}; hint: {}", code.fault().as_str(), code.advice());
        }
        ExitCode::from(self.exit)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(Code::INTERNAL, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_command_is_told_with_its_cause() {
        let error = anyhow::anyhow!("no such file").context("policy.toml");
        assert_eq!(Failure::usage(error).error().to_string(), "policy.toml: no such file");
        assert_eq!(Failure::usage("nobody").error().to_string(), "nobody");
    }
}
