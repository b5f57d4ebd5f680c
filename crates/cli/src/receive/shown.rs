//! What is said of a message that came, and of one that was not taken.

use std::{fmt, path::PathBuf};

use kuriiri_client::{Message, ReceiveError};
use kuriiri_types::{Code, Marker, MessageId};
use serde::Serialize;

use crate::{
    exit::Failure,
    output::{Output, OutputError, line, quoted},
    words::type_word,
};

/// A message that came and was written.
#[derive(Serialize)]
pub(super) struct Received<'a> {
    event: &'static str,
    id: String,
    from: String,
    signer: String,
    label: Option<String>,
    precedence: &'static str,
    r#type: &'static str,
    subject: &'a str,
    content_type: &'a str,
    created: String,
    sealed: bool,
    size: usize,
    sha256: String,
    /// To be shown before and after the body.
    markers: &'a [Marker],
    /// Whether it may be passed on.
    onward: &'static str,
    /// To be erased by then, in seconds from now.
    retain_max: Option<u64>,
    /// The officers who released it.
    approved_by: Vec<String>,
    file: Option<String>,
    /// The body as text, when it is not written to a file and is text.
    body: Option<&'a str>,
    /// The body in hexadecimal, when it is not written to a file and is no text.
    body_hex: Option<String>,
}

impl<'a> Received<'a> {
    /// With the file that has its body, if there is one.
    pub(super) fn of(message: &'a Message, file: Option<PathBuf>) -> Self {
        let (header, body) = (message.header(), message.body());
        let text = std::str::from_utf8(body).ok().filter(|_| file.is_none());
        let hex = || body.iter().map(|b| format!("{b:02x}")).collect();
        let handling = message.handling();
        let approved_by = message.approvals().iter().map(|a| a.officer().to_string());
        Self {
            event: "received",
            id: header.id.to_string(),
            from: header.from.to_string(),
            signer: message.sender().to_string(),
            label: header.label.as_ref().map(ToString::to_string),
            precedence: header.precedence.as_str(),
            r#type: type_word(header.message_type),
            subject: &header.subject,
            content_type: &header.content_type,
            created: header.created.to_string(),
            sealed: message.was_sealed(),
            size: body.len(),
            sha256: kuriiri_merkle::digest(body).to_string(),
            markers: &handling.markers,
            onward: handling.onward.as_str(),
            retain_max: handling.retain_max.map(|span| span.as_secs()),
            approved_by: approved_by.collect(),
            body: text,
            body_hex: (file.is_none() && text.is_none()).then(hex),
            file: file.map(|file| file.to_string_lossy().into_owned()),
        }
    }
}

impl fmt::Display for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = self.label.as_deref().unwrap_or("no label");
        let sealed = if self.sealed { ", sealed" } else { "" };
        write!(
            f,
            "received   {}  {} from {} [{label}, {}{sealed}] {} bytes",
            self.id,
            line(self.subject),
            self.from,
            self.precedence,
            self.size
        )?;
        if let Some(file) = &self.file {
            write!(f, " -> {}", line(file))?;
        }
        self.body.iter().try_for_each(|body| f.write_str(&quoted(body)))
    }
}

/// A message that was not taken, and why.
#[derive(Serialize)]
pub(super) struct Left {
    event: &'static str,
    /// The id that it claims, if one can be read.
    id: Option<String>,
    code: String,
    fault: &'static str,
    retry: bool,
    what: String,
    advice: &'static str,
}

impl Left {
    /// It cannot be opened or verified: it was given back, and is set aside.
    pub(super) fn unacceptable(id: Option<MessageId>, error: ReceiveError) -> Self {
        let code = error.code();
        Self::new("unacceptable", id, code, format!("{:#}", anyhow::Error::new(error)))
    }

    /// It is good and could not be written.
    pub(super) fn unwritten(id: MessageId, failure: &Failure) -> Self {
        Self::new("unwritten", Some(id), failure.code(), failure.what())
    }

    fn new(event: &'static str, id: Option<MessageId>, code: Code, what: String) -> Self {
        Self {
            event,
            id: id.map(|id| id.to_string()),
            code: code.to_string(),
            fault: code.fault().as_str(),
            retry: code.retry(),
            what,
            advice: code.advice(),
        }
    }

    /// An object among the others, or a note for people.
    pub(super) fn tell(&self, output: Output) -> Result<(), OutputError> {
        if output.is_json() {
            return output.data(self, String::new);
        }
        let Self { code, fault, what, advice, .. } = self;
        let id = self.id.as_deref().unwrap_or("a message without an id that can be read");
        let fate = match self.event {
            "unacceptable" => "is set aside at the relay (`kuriiri aside list` there)",
            _ => "stays in the mailbox",
        };
        output.note(&format!(
            "{id} {fate}: {code} {}\n  whose fault: {fault}; hint: {advice}",
            line(what)
        ));
        Ok(())
    }
}
