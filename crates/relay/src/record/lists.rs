//! Which revocation lists were in force, so that nobody can bring back one from before somebody was revoked.

use std::path::PathBuf;

use kuriiri_seal::{ListNumber, RevocationList};
use kuriiri_types::{Code, Fingerprint, Ministry, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::ConfigError;

/// The newest list that was in force of each authority there has been. None is forgotten: a ministry that
/// was taken out may come back with its lists only as they were, or newer. A new authority begins a line of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Lists(Vec<Line>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Line {
    ministry: Ministry,
    /// SHA-256 of the authority's public key, in lower-case hexadecimal.
    authority: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<ListNumber>,
    /// Milliseconds since the epoch.
    this_update: Timestamp,
    sha256: String,
    /// While it was in force the configuration already said that the ministry has no list.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    without: bool,
    /// There is none any more, as the configuration says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    gone: bool,
}

/// What a configuration has of one ministry's lists.
#[derive(Debug)]
pub(crate) struct ListsOf {
    pub(crate) ministry: Ministry,
    /// Where they are read.
    pub(crate) file: PathBuf,
    pub(crate) authorities: Vec<Fingerprint>,
    pub(crate) lists: Vec<RevocationList>,
    /// Whether the configuration says that the ministry has no list.
    pub(crate) without: bool,
}

impl ListsOf {
    fn of(&self, authority: Fingerprint) -> Option<&RevocationList> {
        self.lists.iter().find(|list| list.authority == authority)
    }

    fn wrong(&self, code: Code, what: String) -> ConfigError {
        ConfigError::new(&self.file, code, what)
    }
}

impl Lists {
    /// Whether the lists of a ministry may be in force after those that were.
    ///
    /// # Errors
    /// When one is older than the one that was in force, has its number and is another, or is gone; or when there
    /// are two of one authority, of which nothing says which one counts.
    pub(crate) fn check(&self, new: &ListsOf) -> Result<(), ConfigError> {
        for (at, list) in new.lists.iter().enumerate() {
            if new.lists.iter().skip(at + 1).any(|other| other.authority == list.authority) {
                let what = "there are two lists of one authority here; leave the newest".into();
                return Err(new.wrong(Code::KEY_FILE, what));
            }
        }
        new.authorities.iter().try_for_each(|authority| {
            let Some(line) = self.line(&new.ministry, *authority) else { return Ok(()) };
            match new.of(*authority) {
                Some(list) => line.check(new, list),
                None if line.gone || (new.without && !line.without) => Ok(()),
                None => Err(line.missing(new)),
            }
        })
    }

    /// The lines when these lists are in force.
    pub(crate) fn with(&self, members: &[ListsOf]) -> Self {
        let mut lines = self.0.clone();
        for member in members {
            for authority in &member.authorities {
                let id = authority.to_string();
                let is_it = |line: &Line| line.ministry == member.ministry && line.authority == id;
                let known = lines.iter_mut().find(|line| is_it(line));
                match (known, member.of(*authority)) {
                    (Some(line), Some(list)) => *line = Line::of(member, list),
                    (None, Some(list)) => lines.push(Line::of(member, list)),
                    (Some(line), None) => line.gone = true,
                    (None, None) => {}
                }
            }
        }
        Self(lines)
    }

    fn line(&self, ministry: &Ministry, authority: Fingerprint) -> Option<&Line> {
        let id = authority.to_string();
        self.0.iter().find(|line| line.ministry == *ministry && line.authority == id)
    }
}

impl Line {
    fn of(member: &ListsOf, list: &RevocationList) -> Self {
        Self {
            ministry: member.ministry.clone(),
            authority: list.authority.to_string(),
            number: list.number,
            this_update: list.this_update,
            sha256: list.digest.to_string(),
            without: member.without,
            gone: false,
        }
    }

    /// Lists with numbers are told apart by these, others by when they were issued. Whoever begins to number
    /// lists goes on from a later one; whoever has numbered them goes on.
    fn check(&self, new: &ListsOf, list: &RevocationList) -> Result<(), ConfigError> {
        if self.sha256 == list.digest.to_string() {
            return Ok(());
        }
        let order = match (self.number, list.number) {
            (Some(last), Some(number)) => number.cmp(&last),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_) | None) => list.this_update.cmp(&self.this_update),
        };
        let (code, what, todo) = match order {
            std::cmp::Ordering::Greater => return Ok(()),
            std::cmp::Ordering::Less => (
                Code::REVOCATION_OLDER,
                "is older than the one that was in force",
                "put the newest list in its place",
            ),
            std::cmp::Ordering::Equal => (
                Code::REVOCATION_CONTRADICTION,
                "is another than the one that was in force, and nothing says which is newer",
                "ask the ministry which one is meant, and for a list with a higher number",
            ),
        };
        let here = named(list.number, list.this_update);
        let last = named(self.number, self.this_update);
        let ministry = &self.ministry;
        let what = format!("the list of {ministry}, {here}, {what}, {last}; {todo}");
        Err(new.wrong(code, what))
    }

    fn missing(&self, new: &ListsOf) -> ConfigError {
        let last = named(self.number, self.this_update);
        let what = format!(
            "the list of {} that was in force, {last}, is gone and there is no newer one; put the newest \
             list in its place",
            self.ministry
        );
        new.wrong(Code::REVOCATION_MISSING, what)
    }
}

/// Which list it is, for people.
fn named(number: Option<ListNumber>, issued: Timestamp) -> String {
    match number {
        Some(number) => format!("number {number} of {issued}"),
        None => format!("without a number, of {issued}"),
    }
}

#[cfg(test)]
mod tests {
    use kuriiri_types::Digest;

    use super::*;

    const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

    /// A list of some authority, by its number and the day of its issue.
    fn list(authority: u8, number: Option<&str>, day: u32, byte: u8) -> RevocationList {
        let this_update = Timestamp::from_millis(1_795_000_000_000).after(DAY * day);
        RevocationList {
            authority: Digest([authority; 32]),
            number: number.map(|number| number.parse().unwrap()),
            this_update,
            next_update: this_update.after(7 * DAY),
            digest: Digest([byte; 32]),
        }
    }

    fn member(authorities: &[u8], lists: &[RevocationList]) -> ListsOf {
        ListsOf {
            ministry: "um.example".parse().unwrap(),
            file: "um.example.pem".into(),
            authorities: authorities.iter().map(|byte| Digest([*byte; 32])).collect(),
            lists: lists.to_vec(),
            without: false,
        }
    }

    /// What is said to these lists after those.
    fn after(last: &Lists, new: &ListsOf) -> Result<Lists, Code> {
        last.check(new).map_err(|error| error.code())?;
        Ok(last.with(std::slice::from_ref(new)))
    }

    fn first(list: &RevocationList) -> Lists {
        after(&Lists::default(), &member(&[1], std::slice::from_ref(list))).unwrap()
    }

    #[test]
    fn a_list_follows_a_lower_number_or_where_there_is_none_an_earlier_issue() {
        let cases = [
            // What was in force, what comes, and what is said to it.
            ((Some("9"), 5, 1), (Some("10"), 5, 2), None),
            ((Some("9"), 5, 1), (Some("10"), 4, 2), None),
            ((Some("9"), 5, 1), (Some("8"), 6, 2), Some(Code::REVOCATION_OLDER)),
            ((Some("9"), 5, 1), (Some("9"), 5, 1), None),
            ((Some("9"), 5, 1), (Some("9"), 6, 2), Some(Code::REVOCATION_CONTRADICTION)),
            ((Some("9"), 5, 1), (None, 6, 2), Some(Code::REVOCATION_OLDER)),
            ((None, 5, 1), (None, 6, 2), None),
            ((None, 5, 1), (None, 4, 2), Some(Code::REVOCATION_OLDER)),
            ((None, 5, 1), (None, 5, 2), Some(Code::REVOCATION_CONTRADICTION)),
            ((None, 5, 1), (Some("1"), 6, 2), None),
            ((None, 5, 1), (Some("1"), 4, 2), Some(Code::REVOCATION_OLDER)),
        ];
        for (last, new, said) in cases {
            let of = |(number, day, byte)| list(1, number, day, byte);
            let found = after(&first(&of(last)), &member(&[1], &[of(new)]));
            assert_eq!(found.err(), said, "{last:?} {new:?}");
        }
    }

    #[test]
    fn an_older_list_is_refused_in_words_that_say_what_to_do() {
        let last = first(&list(1, Some("12"), 5, 1));
        let error = last.check(&member(&[1], &[list(1, Some("11"), 4, 2)])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "um.example.pem: the list of um.example, number 11 of 2026-11-22T11:06:40Z, is older than the one \
             that was in force, number 12 of 2026-11-23T11:06:40Z; put the newest list in its place"
        );
    }

    #[test]
    fn a_new_authority_begins_a_new_line_and_the_old_one_is_not_forgotten() {
        let last = first(&list(1, Some("9"), 5, 1));
        let moved = after(&last, &member(&[2], &[list(2, Some("1"), 1, 2)])).unwrap();
        // Also when the ministry was not there at all for a while.
        let gone = moved.with(&[]);
        let older = member(&[1], &[list(1, Some("8"), 4, 3)]);
        assert_eq!(after(&gone, &older).unwrap_err(), Code::REVOCATION_OLDER);
        assert_eq!(after(&gone, &member(&[1], &[])).unwrap_err(), Code::REVOCATION_MISSING);
        let both = [list(2, Some("2"), 2, 4), list(1, Some("10"), 6, 5)];
        assert!(after(&gone, &member(&[1, 2], &both)).is_ok());
        // Another ministry has lines of its own.
        let other = ListsOf { ministry: "plm.example".parse().unwrap(), ..older };
        assert!(gone.check(&other).is_ok());
    }

    #[test]
    fn a_list_that_is_gone_is_missed_until_the_configuration_says_that_there_is_none() {
        let (some, none) = (member(&[1], &[list(1, Some("9"), 5, 1)]), member(&[1], &[]));
        let with = |lists: &ListsOf| ListsOf { without: true, ..member(&[1], &lists.lists) };
        let last = after(&Lists::default(), &some).unwrap();
        assert_eq!(after(&last, &none).unwrap_err(), Code::REVOCATION_MISSING);
        let without = after(&last, &with(&none)).unwrap();
        assert!(after(&without, &with(&none)).is_ok());
        // It comes back as it was, or newer.
        let older = member(&[1], &[list(1, Some("8"), 4, 2)]);
        assert_eq!(after(&without, &with(&older)).unwrap_err(), Code::REVOCATION_OLDER);
        // What was said before there was a list says nothing of that list.
        let said_before = after(&without, &with(&some)).unwrap();
        assert_eq!(after(&said_before, &with(&none)).unwrap_err(), Code::REVOCATION_MISSING);
        let unsaid = after(&said_before, &some).unwrap();
        assert!(after(&unsaid, &with(&none)).is_ok());
    }

    #[test]
    fn two_lists_of_one_authority_are_none() {
        let lists = [list(1, Some("8"), 4, 1), list(1, Some("9"), 5, 2)];
        let refused = after(&Lists::default(), &member(&[1], &lists));
        assert_eq!(refused.unwrap_err(), Code::KEY_FILE);
    }
}
