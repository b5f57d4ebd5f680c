//! Times, receipts and types as people write them.

use std::time::Duration;

use kuriiri_types::{MessageType, ReceiptKind, Timestamp, limits::BASIS_BYTES_MAX};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::system::now;

/// A time (RFC 3339), or a span from now such as `90 s`, `15 min`, `2 h` or `3 d`.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    if let Some(span) = span(text) {
        return Ok(now().after(span));
    }
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
        format!("`{text}` is neither a time such as 2026-12-24T12:00:00Z nor a span such as `2 h`")
    })?;
    let millis = time.unix_timestamp_nanos() / 1_000_000;
    Ok(Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)))
}

/// A span such as `90 s`, `15 min`, `2 h` or `3 d`.
pub(crate) fn span_of(text: &str) -> Result<Duration, String> {
    span(text).ok_or_else(|| format!("`{text}` is not a span such as `90 s` or `2 h`"))
}

fn span(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let seconds = match unit.trim() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?))
}

/// A receipt that can be waited for.
pub(crate) fn waitable(text: &str) -> Result<ReceiptKind, String> {
    match text.parse()? {
        kind @ (ReceiptKind::Accepted | ReceiptKind::Relayed | ReceiptKind::Delivered) => Ok(kind),
        ReceiptKind::Refused | ReceiptKind::Expired | ReceiptKind::SetAside => {
            Err(format!("nobody waits for `{text}`; use accepted, relayed or delivered"))
        }
    }
}

/// Bytes of what a person says for the log; it has room for as much again beside it.
const LINE_BYTES_MAX: usize = BASIS_BYTES_MAX / 2;

/// A legal basis, or for whom something is: words that the log keeps.
pub(crate) fn line(text: &str) -> Result<String, String> {
    let is_line = !text.trim().is_empty() && !text.chars().any(char::is_control);
    if is_line && text.len() <= LINE_BYTES_MAX {
        return Ok(text.into());
    }
    Err(format!("this must be one line of at most {LINE_BYTES_MAX} bytes"))
}

/// A type of message: operation, exercise or drill.
pub(crate) fn message_type(text: &str) -> Result<MessageType, String> {
    let all = [MessageType::Operation, MessageType::Exercise, MessageType::Drill];
    let found = all.into_iter().find(|known| type_word(*known) == text);
    found.ok_or_else(|| format!("`{text}` is none; use operation, exercise or drill"))
}

/// The word for a type of message.
pub(crate) fn type_word(message_type: MessageType) -> &'static str {
    match message_type {
        MessageType::Operation => "operation",
        MessageType::Exercise => "exercise",
        MessageType::Drill => "drill",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_times() {
        assert_eq!(span("90 s"), Some(Duration::from_secs(90)));
        assert_eq!(span("15min"), Some(Duration::from_secs(900)));
        assert_eq!(span("3 d"), Some(Duration::from_secs(259_200)));
        for bad in ["", "h", "2", "2 y", "-1 h", "99999999999999999999 s", "9999999999999999999 d"]
        {
            assert_eq!(span(bad), None, "{bad}");
        }
        let noon = parse("2026-12-24T12:00:00Z").unwrap();
        assert_eq!(noon.to_string(), "2026-12-24T12:00:00Z");
        assert!(parse("tomorrow").unwrap_err().contains("`2 h`"));
    }

    #[test]
    fn only_good_news_is_waited_for() {
        assert_eq!(waitable("delivered"), Ok(ReceiptKind::Delivered));
        assert!(waitable("refused").is_err());
        assert!(waitable("read").is_err());
    }
}
