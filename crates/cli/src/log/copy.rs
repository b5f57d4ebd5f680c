//! A copy of a log that is whole, also while the log grows.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use kuriiri_tlog::{Bundle, TILE_WIDTH, Tile, bundles_of, tiles_of};
use kuriiri_types::Code;
use kuriiri_verify::LogFolder;

use super::folder::{failed, open};
use crate::{
    exit::{DONE, Failure, Outcome},
    files::{replace, unwritten},
    output::Output,
};

/// How often a file that gave way to a wider one is looked for again.
const LOOKS: usize = 8;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of the log, or of its relay, which may be running.
    #[arg(value_name = "LOG")]
    from: PathBuf,
    /// A new folder, or an older copy of the same log, which is brought up to date.
    #[arg(value_name = "COPY")]
    to: PathBuf,
}

/// The checkpoint is read first and written last: whatever comes in between, the copy has all that it speaks of.
pub(super) fn run(args: &Args, output: Output) -> Outcome {
    let log = open(&args.from)?;
    let before = earlier(&args.to, &log)?;
    let copy = Copy { from: log.path(), to: &args.to };
    let mut files = 0_u64;
    for tile in tiles_of(log.size()) {
        files += u64::from(copy.take(tile.width, |width| Tile { width, ..tile }.path(), false)?);
    }
    for bundle in bundles_of(log.size()) {
        let name = |width| Bundle { width, ..bundle }.path();
        files += u64::from(copy.take(bundle.width, name, false)?);
        let name = |width| Bundle { width, ..bundle }.headers_path();
        files += u64::from(copy.take(bundle.width, name, true)?);
    }
    copy.write("checkpoint", log.note(), &log.path().join("checkpoint"))?;
    let (origin, size) = (&log.checkpoint().origin, log.size());
    let object = serde_json::json!({
        "event": "copied", "origin": origin, "entries": size, "before": before, "files": files, "folder": args.to,
    });
    output.data(&object, || {
        format!(
            "{origin}: {size} entries are in {}, {} of them new",
            args.to.display(),
            size - before
        )
    })?;
    Ok(DONE)
}

/// How many entries an older copy has.
fn earlier(to: &Path, log: &LogFolder) -> Result<u64, Failure> {
    if !to.join("checkpoint").exists() {
        return Ok(0);
    }
    let there = LogFolder::open(to).map_err(failed)?;
    if there.checkpoint().origin != log.checkpoint().origin || there.size() > log.size() {
        let what = format!(
            "{} has {} entries of {}, and the log has {} of {}",
            to.display(),
            there.size(),
            there.checkpoint().origin,
            log.size(),
            log.checkpoint().origin,
        );
        return Err(Failure::new(Code::LOG_FOLDER, anyhow::Error::msg(what)));
    }
    Ok(there.size())
}

struct Copy<'a> {
    from: &'a Path,
    to: &'a Path,
}

impl Copy<'_> {
    /// Takes a file over, or the narrowest wider one in its place. Headers may have left, and then they leave the
    /// copy too. True when something was written.
    fn take(
        &self,
        width: u16,
        name: impl Fn(u16) -> String,
        may_be_missing: bool,
    ) -> Result<bool, Failure> {
        // What is full stays as it is, but for headers.
        if width == TILE_WIDTH && !may_be_missing && self.to.join(name(width)).is_file() {
            return Ok(false);
        }
        for _ in 0..LOOKS {
            let found = (width..=TILE_WIDTH).find(|width| self.from.join(name(*width)).is_file());
            let Some(found) = found else { break };
            let file = self.from.join(name(found));
            match fs::read(&file) {
                Ok(bytes) => return self.write(&name(found), &bytes, &file).map(|()| true),
                // A wider one has come meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unread(&file, error)),
            }
        }
        if !may_be_missing {
            return Err(unread(&self.from.join(name(width)), io::ErrorKind::NotFound.into()));
        }
        for gone in (width..=TILE_WIDTH).map(|width| self.to.join(name(width))) {
            match fs::remove_file(&gone) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(unwritten(&gone, error));
                }
                _ => {}
            }
        }
        Ok(false)
    }

    /// Writes a file that others may read as they may read the one that it is a copy of.
    fn write(&self, name: &str, bytes: &[u8], of: &Path) -> Result<(), Failure> {
        let file = self.to.join(name);
        let mode = fs::metadata(of).map_or(0o600, |meta| meta.permissions().mode() & 0o666);
        let folder = file.parent().unwrap_or(self.to);
        let written = fs::create_dir_all(folder).and_then(|()| replace(&file, bytes, mode));
        written.map_err(|error| unwritten(&file, error))
    }
}

fn unread(file: &Path, error: io::Error) -> Failure {
    Failure::new(Code::LOG_FOLDER, anyhow::Error::new(error).context(file.display().to_string()))
}
