//! Decisions in the log.

use kuriiri_types::{
    Decided, LoggedClearance, LoggedRuling, Timestamp,
    limits::{HOPS_MAX, LABEL_ID_BYTES_MAX, LABEL_VALUES_MAX, MINISTRY_NAME_BYTES_MAX},
};

use crate::{
    approval,
    error::Flaw,
    field, giver, hashes,
    limits::{
        CLEARANCE_LEVELS_MAX, CLEARANCES_MAX, GRANT_BYTES_MAX, REASON_CODE_BYTES_MAX,
        REASON_CODES_MAX,
    },
    part, proto, subjects,
};

pub(super) fn write(decided: &Decided) -> proto::Decided {
    let clearances = decided.clearances.as_ref();
    let reasons = decided.reasons.iter().take(REASON_CODES_MAX);
    proto::Decided {
        giver: decided.giver.as_ref().map(giver::write).unwrap_or_default(),
        path: decided.path.iter().map(|ministry| ministry.as_str().into()).collect(),
        dest: decided.dest.as_str().into(),
        next: decided.next.clone().unwrap_or_default(),
        clearances: clearances
            .map(|held| proto::Clearances { held: held.iter().map(write_clearance).collect() }),
        approvals: decided.approvals.iter().map(approval::write_signed).collect(),
        policy: hashes::write_one(decided.policy),
        semantics: decided.semantics,
        ruling: write_ruling(decided.ruling).into(),
        reasons: reasons.map(|reason| field::cut(REASON_CODE_BYTES_MAX, reason)).collect(),
        batch: decided.batch.as_ref().map(part::write),
        keep_until: decided.keep_until.map(Timestamp::as_millis),
        subjects: subjects::write(decided.subjects.iter()),
    }
}

pub(super) fn read(wire: proto::Decided) -> Result<Decided, Flaw> {
    field::at_most("path", HOPS_MAX, wire.path.len())?;
    field::at_most("reasons", REASON_CODES_MAX, wire.reasons.len())?;
    let next = field::line("next", MINISTRY_NAME_BYTES_MAX, wire.next)?;
    let subjects = subjects::read(&wire.subjects)?;
    let approvals = approval::read_all(wire.approvals)?;
    if !approvals.is_empty() && subjects.len() > 1 {
        return Err(Flaw::Form { field: "approvals", rule: "must be about one message" });
    }
    let batch = wire.batch.map(|wire| part::read(wire, subjects.len())).transpose()?;
    if batch.is_some() != wire.keep_until.is_some() {
        return Err(Flaw::Form {
            field: "keep_until",
            rule: "must be there exactly when `batch` is",
        });
    }
    Ok(Decided {
        giver: giver::read_maybe("giver", &wire.giver)?,
        path: field::each(wire.path, |ministry| field::ministry("path", &ministry))?,
        dest: field::ministry("dest", &wire.dest)?,
        next: Some(next).filter(|next| !next.is_empty()),
        clearances: wire.clearances.map(read_clearances).transpose()?,
        approvals,
        policy: field::digest("policy", &wire.policy)?,
        semantics: wire.semantics,
        ruling: read_ruling(wire.ruling)?,
        reasons: field::each(wire.reasons, |r| field::word("reasons", REASON_CODE_BYTES_MAX, r))?,
        batch,
        keep_until: field::maybe_time(wire.keep_until),
        subjects,
    })
}

fn write_clearance(held: &LoggedClearance) -> proto::Clearance {
    let LoggedClearance { policy, levels, grants } = held.clone();
    proto::Clearance { policy, levels, grants }
}

fn read_clearances(wire: proto::Clearances) -> Result<Vec<LoggedClearance>, Flaw> {
    field::at_most("clearances", CLEARANCES_MAX, wire.held.len())?;
    field::each(wire.held, read_clearance)
}

fn read_clearance(wire: proto::Clearance) -> Result<LoggedClearance, Flaw> {
    let (levels, grants) = ("clearances.levels", "clearances.grants");
    field::at_most(levels, CLEARANCE_LEVELS_MAX, wire.levels.len())?;
    field::at_most(grants, LABEL_VALUES_MAX, wire.grants.len())?;
    Ok(LoggedClearance {
        policy: field::word("clearances.policy", LABEL_ID_BYTES_MAX, wire.policy)?,
        levels: field::each(wire.levels, |l| field::word(levels, LABEL_ID_BYTES_MAX, l))?,
        grants: field::each(wire.grants, |g| field::word(grants, GRANT_BYTES_MAX, g))?,
    })
}

fn write_ruling(ruling: LoggedRuling) -> proto::Ruling {
    match ruling {
        LoggedRuling::Deny => proto::Ruling::Deny,
        LoggedRuling::Hold => proto::Ruling::Hold,
        LoggedRuling::Permit => proto::Ruling::Permit,
    }
}

fn read_ruling(number: i32) -> Result<LoggedRuling, Flaw> {
    field::known("ruling", number, |number| match number {
        1 => Some(LoggedRuling::Deny),
        2 => Some(LoggedRuling::Hold),
        3 => Some(LoggedRuling::Permit),
        _ => None,
    })
}
