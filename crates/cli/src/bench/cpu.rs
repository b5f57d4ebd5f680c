//! Processor time of a process, from the kernel's books.

use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// Ticks a second of `/proc`; fixed at 100 for programs on Linux.
const TICKS_PER_SECOND: u64 = 100;
/// Position of user and system time in `/proc/<pid>/stat`, counted after the program's name.
const USER: usize = 11;
const SYSTEM: usize = 12;

/// Processor time, user and system.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct CpuTime(Duration);

impl CpuTime {
    /// Of a process so far.
    pub(super) fn of(process: u32) -> anyhow::Result<Self> {
        Self::read(&format!("/proc/{process}/stat"))
    }

    /// Of this process so far.
    pub(super) fn own() -> anyhow::Result<Self> {
        Self::read("/proc/self/stat")
    }

    fn read(file: &str) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| file.to_owned())?;
        // The name stands in brackets and may hold anything, brackets too.
        let (_, rest) = text.rsplit_once(')').context("no name")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let ticks = |at: usize| -> anyhow::Result<u64> {
            Ok(fields.get(at).context("a field is missing")?.parse()?)
        };
        let ticks = ticks(USER)?.saturating_add(ticks(SYSTEM)?);
        Ok(Self(Duration::from_millis(ticks.saturating_mul(1000 / TICKS_PER_SECOND))))
    }

    /// What was spent since an earlier reading.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// Microseconds for each of so many messages.
    pub(super) fn micros_each(self, messages: u64) -> f64 {
        self.0.as_secs_f64() * 1e6 / messages.max(1) as f64
    }
}
