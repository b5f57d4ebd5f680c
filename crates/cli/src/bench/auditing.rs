//! How fast an auditor reads what the relays wrote.

use std::{fmt, fs, hint::black_box, path::Path};

use anyhow::{Context, ensure};
use kuriiri_merkle::leaf;
use kuriiri_verify::{Anchors, AuditOptions, LogFolder, audit};
use serde::Serialize;

use super::{disk::bytes_below, limits::rate};

/// The audit of one log, by all threads that the machine has.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Audited {
    pub(super) entries: u64,
    pub(super) per_second: f64,
    /// Messages that these entries speak of, a second.
    pub(super) messages_per_second: f64,
    /// Bytes of an entry, in the mean.
    pub(super) bytes: u64,
    /// Leaf hashes (SHA-256) of such entries that one core makes in a second.
    pub(super) hashes: f64,
}

/// Audits the log in a relay's folder, which took so many messages: everything but witnesses, of which
/// the measurement has too few.
pub(super) fn measure(relay: &Path, messages: u64) -> anyhow::Result<Audited> {
    let key = fs::read_to_string(relay.join("log.vkey"))?;
    let policy = relay.join("bench.policy");
    fs::write(&policy, format!("log {}\nquorum none\n", key.trim()))?;
    let anchors = Anchors::read(&policy)?;
    let log = LogFolder::open(&relay.join("log"))?;
    let report = audit(&log, &anchors, AuditOptions::default(), |_| {});
    ensure!(report.findings.exit() == 0, "the log is not good: {:?}", report.findings.listed());
    let bytes = bytes_below(&relay.join("log/tile/entries"))?;
    let bytes = bytes.checked_div(report.size).context("the log is empty")?;
    let entry = vec![0x5a; usize::try_from(bytes)?];
    let hash = || {
        black_box(leaf(black_box(&entry)));
        true
    };
    let hashes = rate(hash);
    let messages_per_second = messages as f64 / report.took.as_secs_f64().max(1e-9);
    let (entries, per_second) = (report.read, report.rate());
    Ok(Audited { entries, per_second, messages_per_second, bytes, hashes })
}

impl fmt::Display for Audited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entries, per_second, messages_per_second, bytes, .. } = self;
        write!(
            f,
            "audited              {messages_per_second:>8.0} messages/s, which is {per_second:.0} entries/s, \
             {entries} of {bytes} bytes each"
        )
    }
}
