//! Signed notes (C2SP `signed-note`): a text, an empty line, and a line for each signature.

use std::fmt::{self, Write};

use bytes::Bytes;

use crate::{
    KeyName, VerifierKey,
    text::{base64, from_base64},
};

/// Bytes of a note. The specification wants a bound and leaves it open; other tools take as much.
/// Larger: refused before it is read.
pub const NOTE_BYTES_MAX: usize = 1_000_000;
/// Signatures on one note: a log and its witnesses. The specification demands at least 16. More:
/// refused.
pub const NOTE_SIGNATURES_MAX: usize = 64;

/// What a signature line begins with: an em dash and a space.
const DASH: &str = "— ";
const ID_BYTES: usize = 4;

/// A text, and what is said to be signatures over it. That a note can be read says nothing about
/// who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    name: KeyName,
    id: u32,
    bytes: Vec<u8>,
}

impl Note {
    /// A note without signatures, which is not one yet.
    ///
    /// # Errors
    /// When the text does not end in a line end, has control characters, or is too long.
    pub fn new(text: String) -> Result<Self, NoteError> {
        check_text(&text)?;
        Ok(Self { text, signatures: Vec::new() })
    }

    /// Reads a note, strictly.
    ///
    /// # Errors
    /// When it is too large, not plain text, has no signature, or a line among the signatures that
    /// is not one.
    pub fn parse(note: &[u8]) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge(note.len()));
        }
        let note = str::from_utf8(note).map_err(|_| NoteError::NotText)?;
        check_letters(note)?;
        // The last empty line divides; the text keeps the line end before it.
        let divide = note.rfind("\n\n").ok_or(NoteError::Unsigned)?;
        let (text, rest) = note.split_at_checked(divide + 1).ok_or(NoteError::Unsigned)?;
        let lines = rest.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
        let lines: Vec<&str> = lines.ok_or(NoteError::Unsigned)?.split('\n').collect();
        if lines.len() > NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooMany);
        }
        let numbered = (1..).zip(lines);
        let signature = |(at, line)| Signature::parse(line).ok_or(NoteError::Line(at));
        let signatures = numbered.map(signature).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The text that is signed, with its last line end.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, whoever made them.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Adds a signature line after the others.
    ///
    /// # Errors
    /// When the note has as many as are read, or would be too large.
    pub fn add(&mut self, signature: Signature) -> Result<(), NoteError> {
        if self.signatures.len() >= NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooMany);
        }
        self.signatures.push(signature);
        let length = self.to_string().len();
        if length > NOTE_BYTES_MAX {
            self.signatures.pop();
            return Err(NoteError::TooLarge(length));
        }
        Ok(())
    }

    /// The whole note.
    pub fn to_bytes(&self) -> Bytes {
        self.to_string().into()
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        f.write_char('\n')?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl Signature {
    /// A signature by this key.
    pub(crate) fn new(key: &VerifierKey, bytes: Vec<u8>) -> Self {
        Self { name: key.name().clone(), id: key.id(), bytes }
    }

    /// Reads a line, without its line end; nothing when it is not a signature line.
    pub fn parse(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix(DASH)?.split_once(' ')?;
        let name = name.parse().ok()?;
        let signature = from_base64(signature)?;
        let (id, bytes) = signature.split_first_chunk::<ID_BYTES>()?;
        let id = u32::from_be_bytes(*id);
        (!bytes.is_empty()).then(|| Self { name, id, bytes: bytes.to_vec() })
    }

    /// In whose name it is.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of the key that it is said to be made with.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What the key made: the signature itself, with a time before it if a witness made it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it is in the name and id of a key. That it is genuine it does not say.
    pub(crate) fn is_by(&self, key: &VerifierKey) -> bool {
        self.name == *key.name() && self.id == key.id()
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.id.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.bytes);
        write!(f, "{DASH}{} {}", self.name, base64(&bytes))
    }
}

/// Whether a note can be made of a text.
pub(crate) fn check_text(text: &str) -> Result<(), NoteError> {
    if text.len() > NOTE_BYTES_MAX {
        return Err(NoteError::TooLarge(text.len()));
    }
    check_letters(text)?;
    if text.ends_with('\n') { Ok(()) } else { Err(NoteError::Unended) }
}

fn check_letters(text: &str) -> Result<(), NoteError> {
    let is_control = |byte: u8| byte < b' ' && byte != b'\n';
    if text.bytes().any(is_control) { Err(NoteError::NotText) } else { Ok(()) }
}

/// A note is not readable, or not signed as it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Larger than is read here.
    #[error("the note has {0} bytes, and at most {NOTE_BYTES_MAX} are read")]
    TooLarge(usize),
    /// Not UTF-8, or with a control character.
    #[error("the note is not plain text: UTF-8 without control characters")]
    NotText,
    /// The text does not end in a line end, so no note can be made of it.
    #[error("the text of a note ends in a line end")]
    Unended,
    /// No empty line with signatures after it.
    #[error("the note has no signatures after an empty line")]
    Unsigned,
    /// A signature line that is none.
    #[error("line {0} of the signatures is not one")]
    Line(usize),
    /// More signatures than are read here.
    #[error("the note has more than {NOTE_SIGNATURES_MAX} signatures")]
    TooMany,
    /// No signature is by the key that is asked for.
    #[error("{0} did not sign the note")]
    NotSignedBy(KeyName),
    /// A signature that names a known key is not one of that key.
    #[error("a signature in the name of {0} is not genuine")]
    BadSignature(KeyName),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{EXAMPLE_NOTE, signed_note, signer};

    #[test]
    fn the_last_empty_line_divides() {
        let log = signer("log", 1);
        for text in ["\n", "\n\n", "one\n\ntwo\n", "one\n\n— log YQ==\n\n", "ends\n\n"] {
            let note = signed_note(text, &[&log]);
            let read = Note::parse(&note.to_bytes()).unwrap();
            assert_eq!((read.text(), &read), (text, &note));
            assert!(read.verify(log.verifier_key()).unwrap().is_some());
        }
    }

    #[test]
    fn what_is_not_a_note_is_refused() {
        let fault = |note: &str| Note::parse(note.as_bytes()).unwrap_err();
        let line = EXAMPLE_NOTE.lines().next_back().unwrap();
        for unsigned in ["", "\n", "text\n", "text\n\n", "\n\n", "text\n\n\n"] {
            assert_eq!(fault(unsigned), NoteError::Unsigned, "{unsigned:?}");
        }
        assert_eq!(fault(&format!("text\n\n{line}")), NoteError::Unsigned);
        assert_eq!(fault(&format!("text\n{line}\n")), NoteError::Unsigned);
        for bad in [
            line.replace("— ", "- "),
            line.replace("— ", "—"),
            line.replace("foo U", "foo  U"),
            line.replace("foo", "fo+o"),
            line.replace("foo", "fo\u{a0}o"),
            line.replace('=', ""),
            format!("{line} "),
            "— a YWJjZA==".to_owned(),
            "— a ".to_owned(),
            "— a".to_owned(),
            "—  YWJjZGU=".to_owned(),
        ] {
            assert_eq!(fault(&format!("text\n\n{line}\n{bad}\n")), NoteError::Line(2), "{bad}");
        }
        assert_eq!(fault(&format!("te\txt\n\n{line}\n")), NoteError::NotText);
        assert_eq!(fault(&format!("text\r\n\n{line}\n")), NoteError::NotText);
        assert_eq!(Note::parse(b"te\xffxt\n\n"), Err(NoteError::NotText));
        assert_eq!(Note::new("text".to_owned()), Err(NoteError::Unended));
        assert_eq!(Note::new("te\0xt\n".to_owned()), Err(NoteError::NotText));
    }

    #[test]
    fn there_is_room_for_a_log_and_its_witnesses_and_an_end() {
        let log = signer("log", 1);
        let mut note = Note::new("text\n".to_owned()).unwrap();
        for _ in 0..NOTE_SIGNATURES_MAX {
            note.add(log.sign("text\n").unwrap()).unwrap();
        }
        assert_eq!(Note::parse(&note.to_bytes()).unwrap(), note);
        assert_eq!(note.add(log.sign("text\n").unwrap()), Err(NoteError::TooMany));
        let one_more = format!("{note}{}\n", log.sign("text\n").unwrap());
        assert_eq!(Note::parse(one_more.as_bytes()), Err(NoteError::TooMany));

        let large = NOTE_BYTES_MAX + 1;
        assert_eq!(Note::parse(&vec![b'a'; large]), Err(NoteError::TooLarge(large)));
        let text = format!("{}\n", "a".repeat(NOTE_BYTES_MAX - 1));
        let mut note = Note::new(text.clone()).unwrap();
        assert!(matches!(note.add(log.sign(&text).unwrap()), Err(NoteError::TooLarge(_))));
        assert!(note.signatures().is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_what_is_read_is_what_was_written(
            bytes in any::<Vec<u8>>(),
            text in "[a\n—]{0,9}\n",
            line in "(— )?[a +]{1,4} [A-Za-z0-9+/=]{4,12}",
        ) {
            let _ = Note::parse(&bytes);
            let note = format!("{text}\n{line}\n");
            if let Ok(read) = Note::parse(note.as_bytes()) {
                prop_assert_eq!(read.to_bytes(), note);
            }
        }
    }
}
