//! What commands say: data on standard output, the rest on standard error.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

/// Where a command says things, and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether data goes out as JSON.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Whether a person watches standard error.
    pub(crate) fn is_watched(self) -> bool {
        !self.json && io::stderr().is_terminal()
    }

    /// One piece of data: an object on a line, or the text for people.
    pub(crate) fn data(self, object: &impl Serialize, text: impl FnOnce() -> String) {
        let line = if self.json {
            serde_json::to_string(object).unwrap_or_else(|error| error.to_string())
        } else {
            text()
        };
        self.line(&line);
    }

    /// Text for people that is the result itself. Nothing with `--json`.
    pub(crate) fn text(self, text: &str) {
        if !self.json {
            self.line(text);
        }
    }

    /// Something a person may want to know while it happens.
    #[expect(clippy::print_stderr, reason = "progress and notes are not data")]
    pub(crate) fn note(self, text: &str) {
        if !self.json {
            eprintln!("{text}");
        }
    }

    fn line(self, text: &str) {
        // Whoever closed the pipe does not want the rest.
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}
