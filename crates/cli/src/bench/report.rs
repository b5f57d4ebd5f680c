//! What all measurements come to, beside the machine's own limits.

use std::fmt;

use serde::Serialize;

use super::{auditing::Audited, backlog::Backlog, figures::Figures, limits::Limits};

/// The figures of one run. Those of bodies of one size are the run's own; others stand apart.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    event: &'static str,
    #[serde(flatten)]
    main: Figures,
    connections: usize,
    window: usize,
    /// Of larger bodies, if they were measured.
    large: Option<Figures>,
    /// Of a folder's files, if there was one.
    documents: Option<DocumentFigures>,
    /// Of a relay that was away, if that was measured.
    backlog: Option<Backlog>,
    audited: Audited,
    limits: Limits,
    ratios: Ratios,
}

/// The figures of real documents.
#[derive(Debug, Serialize)]
pub(super) struct DocumentFigures {
    /// How many different ones there were.
    pub(super) files: u64,
    #[serde(flatten)]
    pub(super) figures: Figures,
}

/// All that was measured.
pub(super) struct Measured {
    pub(super) connections: usize,
    pub(super) window: usize,
    pub(super) main: Figures,
    pub(super) large: Option<Figures>,
    pub(super) documents: Option<DocumentFigures>,
    pub(super) backlog: Option<Backlog>,
    pub(super) audited: Audited,
    pub(super) limits: Limits,
}

/// Delivered messages a second over what the machine can do of each a second.
#[derive(Debug, Serialize)]
struct Ratios {
    delivered_to_sign: f64,
    delivered_to_verify: f64,
    delivered_to_fdatasync: f64,
    /// p50 of accepted at the steady rate, in fdatasyncs.
    accepted_in_fdatasyncs: Option<f64>,
    /// Entries audited over what one core can do of each.
    audited_to_hash: f64,
    audited_to_verify: f64,
}

impl From<Measured> for Report {
    fn from(measured: Measured) -> Self {
        let Measured { connections, window, main, large, documents, backlog, audited, limits } =
            measured;
        let delivered = main.delivered_per_second;
        let accepted = main.steady.as_ref().map(|steady| steady.accepted.p50 / 1e3);
        let ratios = Ratios {
            delivered_to_sign: delivered / limits.sign,
            delivered_to_verify: delivered / limits.verify,
            delivered_to_fdatasync: delivered / limits.fdatasync,
            accepted_in_fdatasyncs: accepted.map(|seconds| seconds * limits.fdatasync),
            audited_to_hash: audited.per_second / audited.hashes,
            audited_to_verify: audited.per_second / limits.verify,
        };
        let event = "bench";
        Self {
            event,
            main,
            connections,
            window,
            large,
            documents,
            backlog,
            audited,
            limits,
            ratios,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { main, connections, window, large, documents, backlog, .. } = self;
        let Self { audited, limits, ratios, .. } = self;
        writeln!(
            f,
            "{connections} connection(s), {window} messages under way at most, every barrier and check on\n"
        )?;
        writeln!(f, "{main}")?;
        if let Some(large) = large {
            writeln!(f, "\n{large}")?;
        }
        if let Some(DocumentFigures { files, figures }) = documents {
            writeln!(f, "\n{files} document(s) in turn: {figures}")?;
        }
        if let Some(backlog) = backlog {
            writeln!(f, "\n{backlog}")?;
        }
        writeln!(f, "\nthe machine           operations/s    delivered messages for each")?;
        for (what, rate, ratio) in [
            ("Ed25519 sign", limits.sign, ratios.delivered_to_sign),
            ("Ed25519 verify", limits.verify, ratios.delivered_to_verify),
            ("fdatasync 64 KiB", limits.fdatasync, ratios.delivered_to_fdatasync),
        ] {
            writeln!(f, "    {what:<17} {rate:>12.0}    {ratio:>12.2}")?;
        }
        if let Some(accepted) = ratios.accepted_in_fdatasyncs {
            writeln!(f, "  p50 of accepted is {accepted:.1} fdatasyncs long")?;
        }
        writeln!(f, "\n{audited}")?;
        write!(
            f,
            "    {:.2} entries for each that one core can hash (SHA-256), {:.1} for each Ed25519 verify",
            ratios.audited_to_hash, ratios.audited_to_verify
        )
    }
}
