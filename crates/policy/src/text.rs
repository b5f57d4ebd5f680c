//! What people read: three languages, always all three.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A language of the federation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lang {
    /// Finnish.
    Fi,
    /// Swedish.
    Sv,
    /// English.
    En,
}

impl Lang {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Fi, Self::Sv, Self::En];

    /// The ISO 639-1 code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fi => "fi",
            Self::Sv => "sv",
            Self::En => "en",
        }
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Lang {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|lang| lang.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a language here; use fi, sv or en"))
    }
}

/// One text in Finnish, Swedish and English. None of the three is missing or blank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Phrase {
    fi: Box<str>,
    sv: Box<str>,
    en: Box<str>,
}

impl Phrase {
    /// The text in one language.
    pub fn pick(&self, lang: Lang) -> &str {
        match lang {
            Lang::Fi => &self.fi,
            Lang::Sv => &self.sv,
            Lang::En => &self.en,
        }
    }

    /// A text that is made in each language by itself.
    pub(crate) fn build(make: impl Fn(Lang) -> String) -> Self {
        Self { fi: make(Lang::Fi).into(), sv: make(Lang::Sv).into(), en: make(Lang::En).into() }
    }

    /// The same text with a remark in parentheses.
    pub(crate) fn noted(&self, [fi, sv, en]: [&str; 3]) -> Self {
        let noted = |text: &str, remark: &str| format!("{text} ({remark})").into();
        Self { fi: noted(&self.fi, fi), sv: noted(&self.sv, sv), en: noted(&self.en, en) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    fi: String,
    sv: String,
    en: String,
}

impl TryFrom<Written> for Phrase {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let Written { fi, sv, en } = written;
        if [&fi, &sv, &en].iter().any(|text| text.trim().is_empty()) {
            return Err("a text is needed in fi, sv and en");
        }
        Ok(Self { fi: fi.into(), sv: sv.into(), en: en.into() })
    }
}

/// Words of the program itself, in Finnish, Swedish and English.
pub(crate) type Trilingual = [&'static str; 3];

/// The words in one language.
pub(crate) fn pick([fi, sv, en]: Trilingual, lang: Lang) -> &'static str {
    match lang {
        Lang::Fi => fi,
        Lang::Sv => sv,
        Lang::En => en,
    }
}

/// Puts arguments into a sentence, once and from left to right: `{n}` becomes the text of `n`.
/// What an argument contains is never read as a place for another.
pub(crate) fn fill(template: &str, arguments: &[(&str, String)]) -> String {
    let mut text = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let (name, tail) = after.split_once('}').unwrap_or((after, ""));
        let argument = arguments.iter().find(|(key, _)| *key == name);
        text.push_str(argument.map_or("", |(_, value)| value));
        rest = tail;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_not_read_again() {
        let arguments = [("n", "{l}".to_owned()), ("l", "TL3".to_owned())];
        assert_eq!(fill("Node {n}: {l}.", &arguments), "Node {l}: TL3.");
        assert_eq!(fill("{x}{", &arguments), "");
    }

    #[test]
    fn a_missing_or_blank_language_is_refused() {
        assert!(toml::from_str::<Phrase>("fi='a'\nsv='b'\nen='c'").is_ok());
        for bad in ["fi='a'\nsv='b'", "fi='a'\nsv=' '\nen='c'", "fi='a'\nsv='b'\nen='c'\nde='d'"] {
            assert!(toml::from_str::<Phrase>(bad).is_err(), "{bad}");
        }
    }
}
