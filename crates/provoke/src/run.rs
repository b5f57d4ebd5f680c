//! Runs cases: one after the other, those that wait some at a time, and an honest exchange after each.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use crate::{
    case::{Case, Halt, Verdict},
    error::ProvokeError,
    honest::control,
    limits::{CASE, WAITING_AT_ONCE, WAITING_CASE},
    partner::Partner,
};

/// What became of one case.
#[derive(Debug)]
pub struct Report {
    /// Which case.
    pub case: Case,
    /// How it ended.
    pub verdict: Verdict,
    /// How long it took, the honest exchange after it not counted.
    pub took: Duration,
}

/// Runs these cases and tells of each when it is over.
///
/// # Errors
/// When the relay does not take an honest message to begin with, so that nothing would be found out; or
/// nobody takes the reports any more.
pub async fn run(
    partner: Arc<Partner>,
    cases: &[Case],
    tell: mpsc::Sender<Report>,
) -> Result<(), ProvokeError> {
    if let Err(Halt::Wrong(why) | Halt::Skipped(why)) = control(&partner).await {
        return Err(ProvokeError::NotServed(why));
    }
    let (ready, lacking): (Vec<Case>, Vec<Case>) =
        cases.iter().partition(|case| case.needs.iter().all(|need| partner.has(*need)));
    for case in lacking {
        send(&tell, skipped(&partner, case)).await?;
    }
    let (waiting, quick): (Vec<Case>, Vec<Case>) = ready.iter().partition(|case| case.waits);
    for case in quick {
        let report = one(&partner, case).await;
        send(&tell, with_control(&partner, report).await).await?;
    }
    for together in waiting.chunks(WAITING_AT_ONCE) {
        let mut running = JoinSet::new();
        for case in together {
            let (partner, case) = (Arc::clone(&partner), *case);
            running.spawn(async move { one(&partner, case).await });
        }
        // Whoever keeps the relay waiting must not keep it from others.
        let beside = control(&partner).await.err();
        let mut reports = running.join_all().await;
        reports.sort_by_key(|report| report.case.number);
        for report in reports {
            let report = judged(report, "while it waited", beside.as_ref());
            send(&tell, with_control(&partner, report).await).await?;
        }
    }
    Ok(())
}

/// Tells of a case. When nobody listens any more, the rest need not be run.
async fn send(tell: &mpsc::Sender<Report>, report: Report) -> Result<(), ProvokeError> {
    tell.send(report).await.map_err(|_| ProvokeError::Unheard)
}

fn skipped(partner: &Partner, case: Case) -> Report {
    let missing = case.needs.iter().filter(|need| !partner.has(**need));
    let missing: Vec<_> = missing.map(|need| need.as_str()).collect();
    let why = format!("needs {}", missing.join(", "));
    Report { case, verdict: Verdict::Skipped { why }, took: Duration::ZERO }
}

async fn one(partner: &Partner, case: Case) -> Report {
    let began = Instant::now();
    let limit = if case.waits { WAITING_CASE } else { CASE };
    let verdict = timeout(limit, case.run(partner)).await.unwrap_or_else(|_| {
        let saw = format!("it was not over in {} s", limit.as_secs());
        Verdict::Wrong { saw }
    });
    Report { case, verdict, took: began.elapsed() }
}

/// A case after which the relay does not serve an honest partner is not right, whatever else was seen.
async fn with_control(partner: &Partner, report: Report) -> Report {
    let after = control(partner).await.err();
    judged(report, "afterwards", after.as_ref())
}

fn judged(report: Report, when: &str, control: Option<&Halt>) -> Report {
    let Some(Halt::Wrong(why) | Halt::Skipped(why)) = control else { return report };
    let saw =
        format!("{when} an honest partner was not served: {why} ({})", report.verdict.words());
    Report { verdict: Verdict::Wrong { saw }, ..report }
}
