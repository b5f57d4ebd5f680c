//! What one kind of body comes to.

use std::fmt;

use serde::Serialize;

use super::{
    cpu::CpuTime,
    load::Load,
    relays::{Carried, LogBytes},
    sender::Percentiles,
};

/// The figures of one kind of body. Rates are a second, latencies milliseconds, processor time
/// microseconds a message.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    messages: u64,
    /// Bytes of a body, in the mean.
    size: u64,
    pub(super) delivered_per_second: f64,
    cpu: Cpu,
    log_bytes: LogBytes,
    /// At a steady rate, if that was measured.
    pub(super) steady: Option<Steady>,
}

#[derive(Debug, Serialize)]
struct Cpu {
    sender: f64,
    sender_relay: f64,
    receiver_relay: f64,
    receiver: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Steady {
    per_second: f64,
    log_bytes: LogBytes,
    pub(super) accepted: Percentiles,
    relayed: Percentiles,
    delivered: Percentiles,
}

impl Figures {
    /// Of a load at full speed.
    pub(super) fn of(load: &Load, carried: &Carried) -> Self {
        let [sender_relay, receiver_relay] = carried.relay_cpu;
        let each = |cpu: CpuTime| cpu.micros_each(load.messages);
        Self {
            messages: load.messages,
            size: load.bodies.size(),
            delivered_per_second: carried.per_second(),
            cpu: Cpu {
                sender: each(carried.sender.cpu),
                sender_relay: each(sender_relay),
                receiver_relay: each(receiver_relay),
                receiver: each(carried.receiver.cpu),
            },
            log_bytes: carried.log_bytes,
            steady: None,
        }
    }

    /// With what was seen at a steady rate.
    pub(super) fn with_steady(self, carried: &Carried) -> Self {
        let sender = &carried.sender;
        let steady = Steady {
            per_second: carried.per_second(),
            log_bytes: carried.log_bytes,
            accepted: sender.accepted,
            relayed: sender.relayed,
            delivered: sender.delivered,
        };
        Self { steady: Some(steady), ..self }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { delivered_per_second, cpu, log_bytes, steady, .. } = self;
        writeln!(f, "{} messages of {} bytes", self.messages, self.size)?;
        writeln!(f, "\n  delivered           {delivered_per_second:>9.0} messages/s")?;
        writeln!(f, "  processor time      {:>9.1} µs/message, of it", cpu.total())?;
        for (who, micros) in cpu.parts() {
            writeln!(f, "    {who:<17} {micros:>9.1}")?;
        }
        write!(f, "  log                 {log_bytes}")?;
        let Some(steady) = steady else { return Ok(()) };
        writeln!(f, "\n\n  at {:.0} messages/s    p50 ms    p99 ms", steady.per_second)?;
        for (what, p) in steady.parts() {
            writeln!(f, "    {what:<15} {:>8.2}  {:>8.2}", p.p50, p.p99)?;
        }
        write!(f, "    log               {}", steady.log_bytes)
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
