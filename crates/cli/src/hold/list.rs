//! `kuriiri hold list`: what waits for officers.

use comfy_table::{Table, presets::UTF8_BORDERS_ONLY};
use kuriiri_client::{Hold, approved_by};

use super::readable::{addresses, recipients};
use crate::{
    exit::{DONE, Failure, Outcome},
    output::{Output, line},
    person::AsOfficer,
};

/// List the messages that wait for officers of the ministry.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    officer: AsOfficer,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let officer = args.officer.connect(output).await?;
    let holds = officer.holds().await.map_err(|error| Failure::new(error.code(), error));
    officer.close().await;
    let holds = holds?;
    if output.is_json() {
        for hold in &holds {
            output.data(&object(hold), String::new)?;
        }
    } else if holds.is_empty() {
        output.text("nothing waits for officers")?;
    } else {
        output.text(&table(&holds))?;
        output.note("read one with: kuriiri hold show --as DIR ID");
    }
    Ok(DONE)
}

fn object(hold: &Hold) -> serde_json::Value {
    serde_json::json!({
        "event": "hold", "id": hold.id.to_string(), "from": hold.from.to_string(),
        "to": addresses(&hold.recipients), "label": hold.label.to_string(),
        "precedence": hold.precedence.as_str(), "subject": hold.subject,
        "content_type": hold.content_type, "size": hold.size,
        "accepted": hold.accepted.to_string(), "expires": hold.expires.to_string(),
        "drafter": hold.drafter, "needed": hold.needed,
        "approved_by": approved_by(hold).iter().map(ToString::to_string).collect::<Vec<_>>(),
        "missing": hold.missing,
    })
}

fn table(holds: &[Hold]) -> String {
    let mut table = Table::new();
    let titles =
        ["message", "subject", "from", "to", "label", "urgency", "releases", "goes back at"];
    table.load_style(UTF8_BORDERS_ONLY).set_header(titles);
    for hold in holds {
        table.add_row([
            hold.id.to_string(),
            line(&hold.subject),
            hold.from.to_string(),
            recipients(&hold.recipients),
            hold.label.to_string(),
            hold.precedence.as_str().to_owned(),
            format!("{} of {}", hold.approvals.len(), hold.needed),
            hold.expires.to_string(),
        ]);
    }
    table.to_string()
}
