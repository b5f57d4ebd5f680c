//! How a command ends: the exit code, and what is said on standard error.

use std::{fmt, process::ExitCode};

use kuriiri_types::Code;

use crate::output::{Output, OutputError};

/// Everything was done.
pub(crate) const DONE: u8 = 0;
/// Something was refused, or a check failed.
pub(crate) const REFUSED: u8 = 1;
/// A fault that the user did not make.
pub(crate) const INTERNAL: u8 = 2;
/// Something has ended or ends within seven days (`kuriiri alerts`).
pub(crate) const ENDING: u8 = 3;
/// The command or the configuration is wrong (`EX_USAGE` of sysexits).
pub(crate) const USAGE: u8 = 64;
/// Whoever read the output has gone: what a shell shows for a program that SIGPIPE ended.
pub(crate) const UNREAD: u8 = 128 + 13;

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
    /// A failure with its stable number, which also says how to exit. Output that could not be written
    /// has its own, whatever the command was about to do.
    pub(crate) fn new(code: Code, error: impl Into<anyhow::Error>) -> Self {
        let error = error.into();
        let (exit, code) = match error.downcast_ref::<OutputError>() {
            Some(output) if output.is_unread() => (UNREAD, output.code()),
            Some(output) => (INTERNAL, output.code()),
            None => (exit_of(code), code),
        };
        Self { exit, code, error }
    }

    /// A check that could not be made, and so says nothing of what it is about. What the user can put right in the
    /// command or the configuration stays what it is.
    pub(crate) fn undone(code: Code, error: impl Into<anyhow::Error>) -> Self {
        let failure = Self::new(code, error);
        let exit = if failure.exit == REFUSED { INTERNAL } else { failure.exit };
        Self { exit, ..failure }
    }

    /// A command that makes no sense. Of an error with a cause both are said.
    pub(crate) fn usage(what: impl fmt::Display) -> Self {
        Self::new(Code::USAGE, anyhow::Error::msg(format!("{what:#}")))
    }

    /// The stable number.
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// What happened, with its causes.
    pub(crate) fn what(&self) -> String {
        format!("{:#}", self.error)
    }

    /// What happened, without its number.
    pub(crate) fn error(self) -> anyhow::Error {
        self.error
    }

    /// Says what happened, whose fault it is and what to do, and gives the exit code. When the reader of
    /// the output has gone there is nothing to say.
    pub(crate) fn report(&self, output: Output) -> ExitCode {
        let Self { code, exit, .. } = self;
        if *exit != UNREAD {
            let what = self.what();
            let object = serde_json::json!({
                "error": code.to_string(),
                "fault": code.fault().as_str(),
                "retry": code.retry(),
                "what": what,
                "advice": code.advice(),
            });
            let what = what.replace('\n', "\n  ");
            let (fault, hint) = (code.fault().as_str(), code.advice());
            let text = format!("error {code}: {what}\n  whose fault: {fault}; hint: {hint}");
            output.complain(&object, &text);
        }
        ExitCode::from(*exit)
    }
}

fn exit_of(code: Code) -> u8 {
    match code.number() / 1000 {
        1 => USAGE,
        2 | 3 => REFUSED,
        _ => INTERNAL,
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(Code::INTERNAL, error)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::Context;

    use super::*;

    #[test]
    fn a_wrong_command_is_told_with_its_cause() {
        let error = anyhow::anyhow!("no such file").context("policy.toml");
        assert_eq!(Failure::usage(error).error().to_string(), "policy.toml: no such file");
        assert_eq!(Failure::usage("nobody").error().to_string(), "nobody");
    }

    #[test]
    fn output_that_was_not_written_is_told_whatever_it_was_about() {
        for (kind, exit) in
            [(io::ErrorKind::StorageFull, INTERNAL), (io::ErrorKind::BrokenPipe, UNREAD)]
        {
            let lost = || OutputError::from(io::Error::from(kind));
            let inside = Err::<(), _>(lost()).context("the demo ends").unwrap_err();
            for failure in [Failure::from(lost()), Failure::new(Code::CONFIG, inside)] {
                assert_eq!((failure.exit, failure.code), (exit, Code::OUTPUT));
            }
        }
    }
}
