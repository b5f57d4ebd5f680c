//! Every parser that reads what others made, by name, for whoever wants to break one: a fuzzer, the tests, or the
//! program beside this library.
//!
//! A parser may refuse; it may not panic, take long, or ask for much memory. What it does read is held to more
//! where more is true of it: bytes that decode are what encoding gives again.

mod evidence;
mod files;
mod frames;

use std::path::{Path, PathBuf};

/// A parser under attack.
#[derive(Debug, Clone, Copy)]
pub struct Parser {
    /// Its name, and that of the folder of good inputs.
    pub name: &'static str,
    /// Has it read something, and says whether it took it.
    ///
    /// # Panics
    /// When the parser is wrong.
    pub read: fn(&[u8]) -> bool,
}

/// All of them.
pub fn parsers() -> impl Iterator<Item = &'static Parser> {
    [frames::PARSERS, evidence::PARSERS, files::PARSERS].into_iter().flatten()
}

/// Where good inputs of a parser are, which is also where bolero looks for them.
pub fn corpus(parser: &Parser) -> PathBuf {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/__fuzz__");
    fuzz.join(parser.name.replace('-', "_")).join("corpus")
}

/// The good inputs of a parser, in the order of their names.
///
/// # Errors
/// When they cannot be read, or there are none.
pub fn seeds(parser: &Parser) -> anyhow::Result<Vec<Vec<u8>>> {
    let dir = corpus(parser);
    let mut paths = std::fs::read_dir(&dir)
        .and_then(|files| files.map(|file| Ok(file?.path())).collect::<Result<Vec<_>, _>>())
        .map_err(|error| anyhow::anyhow!("{}: {error}", dir.display()))?;
    paths.sort();
    anyhow::ensure!(!paths.is_empty(), "{} is empty", dir.display());
    Ok(paths.into_iter().map(std::fs::read).collect::<Result<_, _>>()?)
}

/// Bytes for a parser of text; where they are none, U+FFFD stands.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
