//! `kuriiri bench`, which brings its own relays and clients.

use std::{fs, path::Path, process::Command};

use anyhow::Context;
use serde::Deserialize;

use crate::{process::Worker, work::Load};

/// What is read of its report.
#[derive(Deserialize)]
struct Report {
    delivered_per_second: f64,
    limits: Limits,
}

#[derive(Deserialize)]
struct Limits {
    fdatasync: f64,
}

/// Messages a second, and what the disk could do meanwhile.
pub struct Measured {
    pub rate: f64,
    /// Appends of 64 KiB with fdatasync, a second.
    pub fdatasync: f64,
}

/// Carries the load through two fresh relays.
pub async fn measure(program: &Path, folder: &Path, load: Load) -> anyhow::Result<Measured> {
    let mut command = Command::new(fs::canonicalize(program)?);
    command.args(["--json", "bench", "--rate-messages", "0", "--large-messages", "0"]);
    command.args(["--messages", &load.messages.to_string()]);
    command.args(["--size", &load.size.to_string()]);
    command.args(["--window", &load.window.to_string()]);
    // Its relays keep their state beside that of the others, on the same file system.
    command.env("TMPDIR", folder);
    let mut bench = Worker::start(command, &folder.join("bench.log"))?;
    let report: Report = bench.tells().await.context("kuriiri bench")?;
    Ok(Measured { rate: report.delivered_per_second, fdatasync: report.limits.fdatasync })
}
