//! What people do to the log stands in the log.

use kuriiri_types::{Code, SpiffeId, SpiffeRole};

use super::*;
use crate::{LogDeed, Pruning, Reply};

fn person(role: SpiffeRole, at: &str) -> SpiffeId {
    SpiffeId::new(ministry(at), role, "anna").unwrap()
}

fn export(host: &mut Host, person: SpiffeId) -> Reply {
    let (token, what) = (Token(9), "all of 2026, to the audit office".into());
    host.ask(Event::LogDeed { person, token, deed: LogDeed::Export { what } })
}

fn prune(host: &mut Host, person: SpiffeId) -> Reply {
    let (token, basis) = (Token(9), "Archives Act 831/1994".into());
    let pruning = Pruning { before: 256, kept: vec![0, 7], late: Vec::new() };
    host.ask(Event::LogDeed { person, token, deed: LogDeed::Prune { basis, pruning } })
}

#[test]
fn an_export_is_written_with_who_took_it() {
    let mut host = Host::new("sm.example");
    let anna = person(SpiffeRole::Operator, "sm.example");
    assert_eq!(export(&mut host, anna.clone()), Reply::Noted);
    let what = "all of 2026, to the audit office".into();
    assert_eq!(host.written()[0].event, LogEvent::Exported { by: anna, what });
}

#[test]
fn entries_leave_with_the_commit_that_says_so() {
    let mut host = Host::new("sm.example");
    let anna = person(SpiffeRole::Officer, "sm.example");
    assert_eq!(prune(&mut host, anna.clone()), Reply::Noted);
    let basis = "Archives Act 831/1994".into();
    assert_eq!(host.written()[0].event, LogEvent::Pruned { before: 256, by: anna, basis });
    assert_eq!(
        host.commit.pruned,
        Some(Pruning { before: 256, kept: vec![0, 7], late: Vec::new() })
    );
    host.submit(&[letter(1)]);
    assert_eq!(host.commit.pruned, None);
}

#[test]
fn a_step_takes_entries_away_once() {
    let mut host = Host::new("sm.example");
    let deed = |token| Event::LogDeed {
        person: person(SpiffeRole::Operator, "sm.example"),
        token: Token(token),
        deed: LogDeed::Prune {
            basis: "Archives Act 831/1994".into(),
            pruning: Pruning { before: 256 * token, kept: Vec::new(), late: Vec::new() },
        },
    };
    host.step(vec![deed(1), deed(2)]);
    assert_eq!(host.kinds(), ["PRUNED"]);
    assert_eq!(host.commit.pruned.as_ref().map(|pruning| pruning.before), Some(256));
}

#[test]
fn only_people_of_the_ministry_may() {
    let mut host = Host::new("sm.example");
    let strangers =
        [person(SpiffeRole::System, "sm.example"), person(SpiffeRole::Operator, "plm.example")];
    for stranger in strangers {
        for reply in [export(&mut host, stranger.clone()), prune(&mut host, stranger)] {
            let Reply::Refused(refusal) = reply else { panic!("{reply:?}") };
            assert_eq!(refusal.code, Code::NOT_AN_OFFICER);
            assert_eq!((host.commit.log.clone(), host.commit.pruned.clone()), (None, None));
        }
    }
}
