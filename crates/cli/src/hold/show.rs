//! `kuriiri hold show`: a message that waits, as its officer must read it.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use kuriiri_client::{Shown, Unacceptable, VerifiedApproval};
use kuriiri_types::{MessageId, SpiffeId};

use super::readable::{addresses, recipients};
use crate::{
    exit::{DONE, Outcome, REFUSED},
    files::{PRIVATE, create, unwritten},
    output::{Output, line, plain},
    person::{AsOfficer, failure},
    words::type_word,
};

/// Read a message that waits for officers: everything that its sender signed, who released it so
/// far, and what it says. It is verified and, if it is sealed, opened.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    officer: AsOfficer,
    /// The message.
    id: MessageId,
    /// Write the body to this new file instead of showing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let officer = args.officer.connect(output).await?;
    let (id, shown) = (officer.id().clone(), officer.show(args.id).await);
    officer.close().await;
    let shown = shown.map_err(failure)?;
    if let (Some(file), Ok(body)) = (&args.out, shown.body()) {
        // What it says is for this officer alone.
        create(file, body, PRIVATE).map_err(|error| unwritten(file, error))?;
    }
    let page = Page { shown: &shown, officer: &id, out: args.out.as_deref() };
    output.data(&page.object(), || page.to_string())?;
    Ok(if shown.body().is_ok() { DONE } else { REFUSED })
}

/// A message and who reads it.
struct Page<'a> {
    shown: &'a Shown,
    officer: &'a SpiffeId,
    out: Option<&'a Path>,
}

impl Page<'_> {
    fn text(&self) -> Option<&str> {
        let body = self.shown.body().ok()?;
        std::str::from_utf8(body).ok().filter(|_| self.out.is_none())
    }

    /// Why it cannot be read, if it cannot.
    fn unread(&self) -> Option<String> {
        self.shown.body().err().map(Unacceptable::reason)
    }

    fn object(&self) -> serde_json::Value {
        let (shown, header) = (self.shown, self.shown.header());
        let body = shown.body().ok();
        let hex = |body: &Bytes| body.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let is_hex = self.out.is_none() && self.text().is_none();
        serde_json::json!({
            "event": "held",
            "id": header.id.to_string(),
            "fingerprint": shown.fingerprint().to_string(),
            "from": header.from.to_string(),
            "signer": shown.sender().to_string(),
            "to": addresses(&header.to),
            "label": shown.label().to_string(),
            "precedence": header.precedence.as_str(),
            "type": type_word(header.message_type),
            "drafter": header.drafter,
            "subject": header.subject,
            "content_type": header.content_type,
            "size": body.map(Bytes::len),
            "sha256": body.map(|body| kuriiri_merkle::digest(body).to_string()),
            "sealed": shown.is_sealed(),
            "created": header.created.to_string(),
            "deliver_by": header.expires.map(|at| at.to_string()),
            "accepted": shown.accepted().map(|at| at.to_string()),
            "expires": shown.expires().map(|at| at.to_string()),
            "needed": shown.needed(),
            "approved_by": shown.approvals().iter().map(|a| a.officer().to_string())
                .collect::<Vec<_>>(),
            "missing": shown.missing(),
            "file": self.out,
            "body": self.text(),
            "body_hex": body.filter(|_| is_hex).map(hex),
            "unread": self.unread(),
        })
    }

    /// Who wrote it, and what that means for whoever reads it now.
    fn drafter(&self) -> String {
        match &self.shown.header().drafter {
            None => "not said".into(),
            Some(name) if self.shown.header().is_drafted_by(self.officer) => {
                format!("{name}: that is you, and another officer must release it")
            }
            Some(name) => name.clone(),
        }
    }

    fn releases(&self) -> String {
        let approvals = self.shown.approvals();
        let names: Vec<_> = approvals.iter().map(release).collect();
        let who = if names.is_empty() { "nobody yet".into() } else { names.join(", ") };
        format!("{} of {}: {who}", approvals.len(), self.shown.needed())
    }

    fn size(&self) -> String {
        let (shown, header) = (self.shown, self.shown.header());
        let sealed = if shown.is_sealed() {
            "sealed; opened with the ministry's release key"
        } else {
            "not sealed"
        };
        match shown.body() {
            Ok(body) => format!("{} bytes of {}, {sealed}", body.len(), header.content_type),
            Err(_) => format!("{} bytes as carried, sealed", header.body_size),
        }
    }
}

/// A release, with its end if it has one of its own.
fn release(approval: &VerifiedApproval) -> String {
    let name = approval.officer().name();
    approval.approval().until.map_or_else(|| name.to_owned(), |at| format!("{name} (until {at})"))
}

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, header) = (self.shown, self.shown.header());
        let maybe = |at: Option<kuriiri_types::Timestamp>, none: &str| {
            at.map_or_else(|| none.to_owned(), |at| at.to_string())
        };
        let rows = [
            ("message", header.id.to_string()),
            ("subject", line(&header.subject)),
            ("from", format!("{}, signed by {}", header.from, shown.sender())),
            ("to", recipients(&header.to)),
            ("label", shown.label().to_string()),
            (
                "urgency",
                format!("{}, {}", header.precedence.as_str(), type_word(header.message_type)),
            ),
            ("written by", self.drafter()),
            ("written at", header.created.to_string()),
            ("size", self.size()),
            ("deliver by", maybe(header.expires, "not said")),
            ("goes back at", maybe(shown.expires(), "it has just gone")),
            ("released by", self.releases()),
            (
                "missing",
                if shown.missing().is_empty() {
                    "nothing".into()
                } else {
                    shown.missing().join("; ")
                },
            ),
            ("fingerprint", shown.fingerprint().to_string()),
        ];
        for (what, says) in rows {
            writeln!(f, "{what:<13} {says}")?;
        }
        if let Some(why) = self.unread() {
            return write!(
                f,
                "its text cannot be read here: {why}\n\
                 Ask for the ministry's release key, or send it back with `kuriiri hold reject`."
            );
        }
        match (self.out, self.text()) {
            (Some(file), _) => write!(f, "its text is in {}", file.display()),
            (None, Some(text)) => write!(f, "{:-<60}\n{}", "", plain(text)),
            (None, None) => f.write_str("it is no text; --out FILE writes it to a file"),
        }
    }
}
