//! What others wrote about a message, as officers read it.

use std::fmt::Write;

use kuriiri_types::{Recipient, Role};

/// The addresses of recipients, as data.
pub(super) fn addresses(recipients: &[Recipient]) -> Vec<String> {
    recipients.iter().map(|recipient| recipient.address.to_string()).collect()
}

/// Recipients as people read them: those who only should know are marked.
pub(super) fn recipients(recipients: &[Recipient]) -> String {
    let one = |Recipient { address, role }: &Recipient| match role {
        Role::Action => address.to_string(),
        Role::Info => format!("{address} (for information)"),
    };
    recipients.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A text from somebody else, in which nothing can move the cursor, colour the screen or turn the
/// direction of reading: an officer must see what stands there.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if turns || (c.is_control() && !matches!(c, '\n' | '\t')) {
            // Writing to a string cannot fail.
            let _ = write!(plain, "<U+{:04X}>", u32::from(c));
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_text_cannot_hide_or_change_what_stands_there() {
        assert_eq!(plain("tilanne klo 6\n\tselvä ä€"), "tilanne klo 6\n\tselvä ä€");
        assert_eq!(plain("a\u{1b}[2Jb"), "a<U+001B>[2Jb");
        assert_eq!(plain("a\rb\u{8}"), "a<U+000D>b<U+0008>");
        assert_eq!(plain("\u{202e}txt\u{2066}\u{200b}"), "<U+202E>txt<U+2066><U+200B>");
    }
}
