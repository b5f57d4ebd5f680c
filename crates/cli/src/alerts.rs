//! `kuriiri alerts`: what of a relay ends soon, or has ended.

use std::{path::PathBuf, time::Duration};

use kuriiri_client::Lapse;
use kuriiri_types::Timestamp;

use crate::{
    exit::{DONE, ENDING, Failure, Outcome},
    output::{Output, line},
    person,
};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// What ends within this time is to be seen to now.
const URGENT: Duration = DAY.saturating_mul(7);
/// What ends within this time stands first.
const SOON: Duration = DAY.saturating_mul(30);

/// Show what of the relay has an end: certificates, authorities, revocation lists, signed files and who signed them.
///
/// It ends with 3 when something has ended or ends within seven days, and with 0 when nothing does.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of an officer or operator of the ministry.
    #[arg(long = "as", value_name = "DIR")]
    folder: PathBuf,
    /// Show also what ends in more than 30 days.
    #[arg(long)]
    all: bool,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let person = person::connect(&args.folder, output).await?;
    let lapses = person.lapses().await.map_err(|error| Failure::new(error.code(), error));
    person.close().await;
    let lapses = lapses?;
    let now = lapses.now;
    let shown = |lapse: &&Lapse| args.all || ends_within(lapse, now, SOON);
    let shown: Vec<&Lapse> = lapses.lapses.iter().filter(shown).collect();
    if output.is_json() {
        for lapse in shown {
            output.data(&object(lapse, now), String::new)?;
        }
    } else if shown.is_empty() {
        output.text("nothing ends within 30 days")?;
    } else {
        output.text(&listing(shown, now))?;
    }
    let urgent = lapses.lapses.iter().any(|lapse| ends_within(lapse, now, URGENT));
    Ok(if urgent { ENDING } else { DONE })
}

fn ends_within(lapse: &Lapse, now: Timestamp, time: Duration) -> bool {
    lapse.ends <= now.after(time)
}

/// One thing that ends, as a JSON object.
pub(crate) fn object(lapse: &Lapse, now: Timestamp) -> serde_json::Value {
    let Lapse { what, whose, ends, file, then } = lapse;
    serde_json::json!({
        "event": "end", "what": what, "whose": whose, "ends": ends.to_string(),
        "days": days(*ends, now), "over": now > *ends, "file": file, "then": then,
    })
}

/// All of them for people: what ends at the same time and for the same reason stands together, and what to do
/// is said of what ends within 30 days.
pub(crate) fn listing<'a>(lapses: impl IntoIterator<Item = &'a Lapse>, now: Timestamp) -> String {
    let lapses: Vec<&Lapse> = lapses.into_iter().collect();
    let together = |one: &&Lapse, other: &&Lapse| {
        (one.ends, &one.what, &one.then) == (other.ends, &other.what, &other.then)
    };
    let mut lines = Vec::new();
    for group in lapses.chunk_by(together) {
        let Some(first) = group.first() else { continue };
        lines.push(format!("{:<12} {}  {}", left(first.ends, now), first.ends, line(&first.what)));
        for lapse in group {
            lines.push(format!("{:13}{}  {}", "", line(&lapse.whose), line(&lapse.file)));
        }
        if ends_within(first, now, SOON) {
            lines.push(format!("{:13}=> {}", "", line(&first.then)));
        }
    }
    lines.join("\n")
}

/// How long it still counts, for people.
fn left(ends: Timestamp, now: Timestamp) -> String {
    let days = |time: Duration| time.as_secs() / DAY.as_secs();
    match (now > ends, days(ends.since(now)), days(now.since(ends))) {
        (true, _, 0) => "OVER, today".into(),
        (true, _, days) => format!("OVER, {days} d"),
        (false, 0, _) => "today".into(),
        (false, days, _) => format!("in {days} d"),
    }
}

/// Whole days that are left; less than 0 when it is over.
fn days(ends: Timestamp, now: Timestamp) -> i64 {
    let millis = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
    ends.as_millis().saturating_sub(now.as_millis()).div_euclid(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_days_before_and_after() {
        let now = Timestamp::from_millis(1_795_000_000_000);
        let second = Duration::from_secs(1);
        for (ends, shown, number) in [
            (now.after(5 * DAY + second), "in 5 d", 5),
            (now.after(second), "today", 0),
            (now, "today", 0),
            (now.before(second), "OVER, today", -1),
            (now.before(3 * DAY), "OVER, 3 d", -3),
        ] {
            assert_eq!((left(ends, now).as_str(), days(ends, now)), (shown, number));
        }
    }
}
