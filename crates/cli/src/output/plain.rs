//! Text from others, made fit for a terminal: nothing in it moves the cursor, colours the screen, turns the
//! direction of reading or begins a line of its own. What was there is shown by its number instead.

use std::fmt::Write;

/// A text of several lines; ends of lines and tabs stay.
pub(crate) fn plain(text: &str) -> String {
    cleaned(text, |c| matches!(c, '\n' | '\t'))
}

/// A text that is one line: a name, a subject, a reason.
pub(crate) fn line(text: &str) -> String {
    cleaned(text, |_| false)
}

/// A text of several lines below something that the program itself says. Each line is marked, so that
/// none can be taken for the program's.
pub(crate) fn quoted(text: &str) -> String {
    text.lines().map(|line| format!("\n  | {}", self::line(line))).collect()
}

/// The same JSON, with the escapes that JSON has for what a terminal would obey. These characters stand
/// nowhere but in strings, so what is read from it is unchanged.
pub(super) fn json(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if is_obeyed(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(plain, "\\u{unit:04x}");
            }
        } else {
            plain.push(c);
        }
    }
    plain
}

fn cleaned(text: &str, stays: impl Fn(char) -> bool) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if is_obeyed(c) && !stays(c) {
            // Writing to a string cannot fail.
            let _ = write!(plain, "<U+{:04X}>", u32::from(c));
        } else {
            plain.push(c);
        }
    }
    plain
}

/// Whether a terminal does something else with it than to show it: C0, DEL and C1; separators of lines;
/// marks, embeddings, overrides and isolates of direction (UAX #9); and what is shown as nothing at all.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_hide_or_change_what_stands_there() {
        assert_eq!(plain("tilanne klo 6\n\tselvä ä€ 😀"), "tilanne klo 6\n\tselvä ä€ 😀");
        assert_eq!(plain("a\u{1b}[2Jb\u{9b}31m"), "a<U+001B>[2Jb<U+009B>31m");
        assert_eq!(plain("a\rb\u{8}\u{7f}"), "a<U+000D>b<U+0008><U+007F>");
        assert_eq!(plain("\u{202e}txt\u{2066}\u{200b}"), "<U+202E>txt<U+2066><U+200B>");
        assert_eq!(plain("a\u{2028}b\u{e0041}"), "a<U+2028>b<U+E0041>");
    }

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(line("a\nreceived   b\tc"), "a<U+000A>received   b<U+0009>c");
        assert_eq!(quoted("one\nreceived   two\r\n"), "\n  | one\n  | received   two");
        assert_eq!(quoted("a\u{85}b\u{2029}c"), "\n  | a<U+0085>b<U+2029>c");
    }

    #[test]
    fn json_says_the_same_and_holds_nothing_that_is_obeyed() {
        let said = "a\u{1b}[2J \u{9b}1m\n\u{202e}\u{2028}\u{e0041}\u{feff} ä😀";
        let object = serde_json::to_string(&serde_json::json!({ "said": said })).unwrap();
        let json = json(&object);
        assert!(!json.chars().any(is_obeyed), "{json}");
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["said"], said);
    }
}
