//! `kuriiri status`: what waits where, since when, and why.

use std::path::{Path, PathBuf};

use comfy_table::{Table, presets::UTF8_BORDERS_ONLY};
use kuriiri_client::{Budget, StatusReport};
use kuriiri_types::Timestamp;

use crate::{
    exit::{DONE, Failure, Outcome},
    output::{Output, line},
    person, system,
};

/// Show how the relay is: to a system its mailboxes and peers, to an officer or operator how much is used of what
/// others may spend.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of a system, an officer or an operator.
    #[arg(long = "as", value_name = "DIR")]
    folder: PathBuf,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    if !args.folder.join("system.toml").exists() && is_persons(&args.folder) {
        return budgets(&args.folder, output).await;
    }
    let client = system::connect(&args.folder, output).await?;
    let report = client.status().await.map_err(|e| Failure::new(e.code(), e))?;
    client.close().await;
    if output.is_json() {
        for line in lines(&report) {
            output.data(&line, String::new)?;
        }
    } else {
        output.text(&table(&report))?;
    }
    Ok(DONE)
}

fn is_persons(folder: &Path) -> bool {
    ["officer.toml", "operator.toml"].iter().any(|file| folder.join(file).exists())
}

/// What others may spend of the relay, and how much of it is used.
async fn budgets(folder: &Path, output: Output) -> Outcome {
    let person = person::connect(folder, output).await?;
    let budgets = person.budgets().await.map_err(|error| Failure::new(error.code(), error));
    person.close().await;
    let budgets = budgets?;
    if output.is_json() {
        for Budget { name, used, limit } in budgets {
            let object = serde_json::json!({
                "event": "budget", "name": name, "used": used, "limit": limit,
            });
            output.data(&object, String::new)?;
        }
        return Ok(DONE);
    }
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY).set_header(["what", "used", "of", "%"]);
    for Budget { name, used, limit } in budgets {
        let percent = used.saturating_mul(100) / limit.max(1);
        let [used, limit, percent] = [used, limit, percent].map(|number| number.to_string());
        table.add_row([line(&name), used, limit, percent]);
    }
    output.text(&table.to_string())?;
    Ok(DONE)
}

fn lines(report: &StatusReport) -> Vec<serde_json::Value> {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let mailboxes = report.mailboxes.iter().map(|queue| {
        serde_json::json!({
            "event": "mailbox", "address": queue.name, "messages": queue.messages,
            "oldest": time(queue.oldest),
        })
    });
    let peers = report.peers.iter().map(|peer| {
        serde_json::json!({
            "event": "peer", "ministry": peer.ministry, "connected": peer.connected,
            "waiting": peer.waiting, "oldest": time(peer.oldest),
            "next_try": time(peer.next_try), "problem": peer.problem,
        })
    });
    mailboxes.chain(peers).collect()
}

fn table(report: &StatusReport) -> String {
    let mut mailboxes = Table::new();
    mailboxes.load_style(UTF8_BORDERS_ONLY).set_header(["mailbox", "messages", "oldest"]);
    for queue in &report.mailboxes {
        let oldest = age(report.now, queue.oldest);
        mailboxes.add_row([queue.name.clone(), queue.messages.to_string(), oldest]);
    }
    let mut peers = Table::new();
    peers
        .load_style(UTF8_BORDERS_ONLY)
        .set_header(["peer", "link", "waiting", "oldest", "problem"]);
    for peer in &report.peers {
        let link = match (peer.connected, peer.next_try) {
            (true, _) => "up".to_owned(),
            (false, Some(at)) => {
                format!("down, next try in {}", span(at.since(report.now).as_secs()))
            }
            (false, None) => "down, trying".to_owned(),
        };
        let oldest = age(report.now, peer.oldest);
        let problem = line(peer.problem.as_deref().unwrap_or_default());
        let ministry = peer.ministry.to_string();
        peers.add_row([ministry, link, peer.waiting.to_string(), oldest, problem]);
    }
    format!("relay {} at {}\n{mailboxes}\n{peers}", line(&report.relay), report.now)
}

fn age(now: Timestamp, oldest: Option<Timestamp>) -> String {
    oldest.map_or_else(String::new, |at| span(now.since(at).as_secs()))
}

fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
