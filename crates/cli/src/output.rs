//! What commands say: data on standard output, the rest on standard error.
//!
//! This is the only way out. Standard output fails loudly: what could not be written is an error of the
//! command, so that nothing is confirmed, counted or called done that nobody got. Standard error never
//! fails. Whatever goes to either is made fit for a terminal here, for much of it was written by others.

mod diagnostics;
mod plain;

use std::io::{self, IsTerminal, Write};

use kuriiri_types::Code;
use rustix::fs::{FileType, fdatasync, fstat};
use serde::Serialize;

pub(crate) use diagnostics::Diagnostics;
pub(crate) use plain::{line, plain, quoted};

/// Where a command says things, and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

/// What was to be said on standard output could not be written.
#[derive(Debug, thiserror::Error)]
#[error("standard output cannot be written")]
pub(crate) struct OutputError(#[from] io::Error);

impl OutputError {
    /// The stable number.
    pub(crate) fn code(&self) -> Code {
        Code::OUTPUT
    }

    /// Whether the reader has gone, as `head` does when it has seen enough.
    pub(crate) fn is_unread(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
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

    /// One piece of data: an object on a line, or the text for people. It has been handed to the system
    /// when this returns.
    pub(crate) fn data(
        self,
        object: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), OutputError> {
        if self.json {
            let object = serde_json::to_string(object).map_err(io::Error::other)?;
            put(&plain::json(&object))
        } else {
            put(&plain(&text()))
        }
    }

    /// Text for people that is the result itself. Nothing with `--json`.
    pub(crate) fn text(self, text: &str) -> Result<(), OutputError> {
        if self.json { Ok(()) } else { put(&plain(text)) }
    }

    /// Waits until the disk has what was said, where standard output is a file. The other end of a pipe
    /// answers for itself.
    pub(crate) fn settle(self) -> Result<(), OutputError> {
        let out = io::stdout();
        let status = fstat(&out).map_err(io::Error::from)?;
        if FileType::from_raw_mode(status.st_mode).is_file() {
            fdatasync(&out).map_err(io::Error::from)?;
        }
        Ok(())
    }

    /// Something a person may want to know while it happens.
    pub(crate) fn note(self, text: &str) {
        if !self.json {
            diagnostics::say(&plain(text));
        }
    }

    /// Why the command ends: an object, or text for people in which no line but the first begins at the
    /// margin.
    pub(crate) fn complain(self, object: &impl Serialize, text: &str) {
        let object = || serde_json::to_string(object).unwrap_or_else(|error| error.to_string());
        diagnostics::say(&if self.json { plain::json(&object()) } else { plain(text) });
    }
}

fn put(text: &str) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(OutputError)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::{Path, PathBuf},
    };

    /// What reaches a terminal without this module.
    const WAYS: [&str; 8] = [
        "println!",
        "eprintln!",
        "print!",
        "eprint!",
        "stdout()",
        "stderr()",
        "io::stdout",
        "io::stderr",
    ];

    /// Whether a line has one of them, and not as the end of a longer name.
    fn is_way_out(line: &str) -> bool {
        let is_inside = |c: char| c.is_alphanumeric() || c == '_';
        let mut found = WAYS.into_iter().flat_map(|way| line.match_indices(way));
        found.any(|(at, _)| !line[..at].ends_with(is_inside))
    }

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let inner = |entry: fs::DirEntry| match entry.path() {
            path if path.is_dir() => sources(&path),
            path => vec![path],
        };
        fs::read_dir(folder).unwrap().flat_map(|entry| inner(entry.unwrap())).collect()
    }

    #[test]
    fn a_way_out_is_found_where_there_is_one() {
        for out in ["println!(", " eprint!(", "std::io::stderr()", "let mut out = stdout();"] {
            assert!(is_way_out(out), "{out}");
        }
        for other in ["error.use_stderr()", "child.stdout.take()", ".stdout(Stdio::piped())"] {
            assert!(!is_way_out(other), "{other}");
        }
    }

    #[test]
    fn there_is_no_other_way_to_a_terminal() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let files = sources(&root);
        assert!(files.len() > 50, "{files:?}");
        for file in files {
            let name = file.strip_prefix(&root).unwrap();
            if name == Path::new("output.rs") || name.starts_with("output") {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            for (number, line) in text.lines().enumerate() {
                assert!(!is_way_out(line), "{}:{}: {line}", name.display(), number + 1);
            }
        }
    }
}
