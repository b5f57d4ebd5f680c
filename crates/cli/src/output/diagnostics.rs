//! Standard error: what is said there may be lost, and never stops what is being done.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

use super::plain;

/// One or more lines for whoever looks on. A full disk or a closed end takes them away, and that is all.
pub(super) fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Where the log goes: each event is one line, and nothing in it is obeyed by a terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Diagnostics {
    json: bool,
}

impl Diagnostics {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }
}

impl<'a> MakeWriter<'a> for Diagnostics {
    type Writer = Self;

    fn make_writer(&'a self) -> Self::Writer {
        *self
    }
}

impl Write for Diagnostics {
    /// An event comes as one piece, with the end of its line.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        say(&if self.json { plain::json(text) } else { plain::line(text) });
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
