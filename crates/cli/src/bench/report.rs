//! What a measurement comes to, beside the machine's own limits.

use std::fmt;

use serde::Serialize;

use super::{
    Load,
    auditing::Audited,
    cpu::CpuTime,
    limits::Limits,
    relays::{Carried, LogBytes},
    sender::Percentiles,
};

/// The figures of one run. Rates are a second, latencies milliseconds, processor time microseconds
/// a message.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    event: &'static str,
    messages: u64,
    size: usize,
    connections: usize,
    window: usize,
    delivered_per_second: f64,
    cpu: Cpu,
    log_bytes: LogBytes,
    steady: Steady,
    audited: Audited,
    limits: Limits,
    ratios: Ratios,
}

#[derive(Debug, Serialize)]
struct Cpu {
    sender: f64,
    sender_relay: f64,
    receiver_relay: f64,
    receiver: f64,
}

#[derive(Debug, Serialize)]
struct Steady {
    per_second: f64,
    log_bytes: LogBytes,
    accepted: Percentiles,
    relayed: Percentiles,
    delivered: Percentiles,
}

/// Delivered messages a second over what the machine can do of each a second.
#[derive(Debug, Serialize)]
struct Ratios {
    delivered_to_sign: f64,
    delivered_to_verify: f64,
    delivered_to_fdatasync: f64,
    /// p50 of accepted at the steady rate, in fdatasyncs.
    accepted_in_fdatasyncs: f64,
    /// Entries audited over what one core can do of each.
    audited_to_hash: f64,
    audited_to_verify: f64,
}

impl Report {
    pub(super) fn new(
        load: Load,
        [fast, steady]: [Carried; 2],
        audited: Audited,
        limits: Limits,
    ) -> Self {
        let delivered = fast.receiver.received as f64 / fast.sender.seconds.max(1e-9);
        let [sender_relay, receiver_relay] = fast.relay_cpu;
        let each = |cpu: CpuTime| cpu.micros_each(load.messages);
        let accepted_seconds = steady.sender.accepted.p50 / 1e3;
        Self {
            event: "bench",
            messages: load.messages,
            size: load.size,
            connections: load.connections,
            window: load.window,
            delivered_per_second: delivered,
            cpu: Cpu {
                sender: each(fast.sender.cpu),
                sender_relay: each(sender_relay),
                receiver_relay: each(receiver_relay),
                receiver: each(fast.receiver.cpu),
            },
            log_bytes: fast.log_bytes,
            ratios: Ratios {
                delivered_to_sign: delivered / limits.sign,
                delivered_to_verify: delivered / limits.verify,
                delivered_to_fdatasync: delivered / limits.fdatasync,
                accepted_in_fdatasyncs: accepted_seconds * limits.fdatasync,
                audited_to_hash: audited.per_second / audited.hashes,
                audited_to_verify: audited.per_second / limits.verify,
            },
            steady: Steady {
                per_second: steady.receiver.received as f64 / steady.sender.seconds.max(1e-9),
                log_bytes: steady.log_bytes,
                accepted: steady.sender.accepted,
                relayed: steady.sender.relayed,
                delivered: steady.sender.delivered,
            },
            audited,
            limits,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            messages,
            size,
            connections,
            window,
            delivered_per_second,
            cpu,
            log_bytes,
            steady,
            audited,
            limits,
            ratios,
            ..
        } = self;
        writeln!(
            f,
            "{messages} messages of {size} bytes over {connections} connection(s), {window} under way at most, every barrier and check on"
        )?;
        writeln!(f, "\n  delivered           {delivered_per_second:>9.0} messages/s")?;
        writeln!(f, "  processor time      {:>9.1} µs/message, of it", cpu.total())?;
        for (who, micros) in cpu.parts() {
            writeln!(f, "    {who:<17} {micros:>9.1}")?;
        }
        writeln!(f, "  log                 {log_bytes}")?;
        writeln!(f, "\n  at {:.0} messages/s    p50 ms    p99 ms", steady.per_second)?;
        for (what, p) in steady.parts() {
            writeln!(f, "    {what:<15} {:>8.2}  {:>8.2}", p.p50, p.p99)?;
        }
        writeln!(f, "    log               {}", steady.log_bytes)?;
        writeln!(f, "\n  the machine         operations/s    delivered messages for each")?;
        for (what, rate, ratio) in [
            ("Ed25519 sign", limits.sign, ratios.delivered_to_sign),
            ("Ed25519 verify", limits.verify, ratios.delivered_to_verify),
            ("fdatasync 64 KiB", limits.fdatasync, ratios.delivered_to_fdatasync),
        ] {
            writeln!(f, "    {what:<17} {rate:>12.0}    {ratio:>12.2}")?;
        }
        writeln!(f, "  p50 of accepted is {:.1} fdatasyncs long", ratios.accepted_in_fdatasyncs)?;
        writeln!(f, "\n  {audited}")?;
        write!(
            f,
            "    {:.2} entries for each that one core can hash (SHA-256), {:.1} for each Ed25519 verify",
            ratios.audited_to_hash, ratios.audited_to_verify
        )
    }
}

impl fmt::Display for LogBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, recipient } = self;
        write!(f, "{origin:>9.0} bytes/message at the origin, {recipient:.0} at the recipient")
    }
}

impl Cpu {
    fn parts(&self) -> [(&'static str, f64); 4] {
        [
            ("sending system", self.sender),
            ("its relay", self.sender_relay),
            ("receiving relay", self.receiver_relay),
            ("receiving system", self.receiver),
        ]
    }

    fn total(&self) -> f64 {
        self.parts().iter().map(|(_, micros)| micros).sum()
    }
}

impl Steady {
    fn parts(&self) -> [(&'static str, Percentiles); 3] {
        [("accepted", self.accepted), ("relayed", self.relayed), ("delivered", self.delivered)]
    }
}
