//! What people do to the log stands in the log.

use kuriiri_types::{Code, SpiffeId, SpiffeRole};

use super::*;
use crate::{LogDeed, PersonRequest, Reply, testing::NOW};

fn person(role: SpiffeRole, at: &str) -> SpiffeId {
    SpiffeId::new(ministry(at), role, "anna").unwrap()
}

fn export(host: &mut Host, person: SpiffeId) -> Reply {
    let (token, what) = (Token(9), "all of 2026, to the audit office".into());
    host.ask(Event::Person {
        person,
        token,
        request: PersonRequest::LogDeed { deed: LogDeed::Export { what } },
    })
}

fn prune(host: &mut Host, person: SpiffeId) -> Reply {
    let (token, basis) = (Token(9), "Archives Act 831/1994".into());
    let deed = LogDeed::Prune { basis, until: NOW, headers: 12 };
    host.ask(Event::Person { person, token, request: PersonRequest::LogDeed { deed } })
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
fn headers_leave_with_the_commit_that_says_so() {
    let mut host = Host::new("sm.example");
    let anna = person(SpiffeRole::Officer, "sm.example");
    assert_eq!(prune(&mut host, anna.clone()), Reply::Noted);
    let basis = "Archives Act 831/1994".into();
    let expected = LogEvent::Pruned { until: NOW, headers: 12, by: anna, basis };
    assert_eq!(host.written()[0].event, expected);
    assert_eq!(host.commit.pruned, Some(NOW));
    host.submit(&[letter(1)]);
    assert_eq!(host.commit.pruned, None);
}

#[test]
fn a_step_takes_headers_away_once() {
    let mut host = Host::new("sm.example");
    let deed = |token| Event::Person {
        person: person(SpiffeRole::Operator, "sm.example"),
        token: Token(token),
        request: PersonRequest::LogDeed {
            deed: LogDeed::Prune {
                basis: "Archives Act 831/1994".into(),
                until: NOW.after(std::time::Duration::from_secs(token)),
                headers: token,
            },
        },
    };
    host.step(vec![deed(1), deed(2)]);
    assert_eq!(host.kinds(), ["PRUNED"]);
    assert_eq!(host.commit.pruned, Some(NOW.after(std::time::Duration::from_secs(1))));
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
            assert_eq!((host.commit.log.clone(), host.commit.pruned), (None, None));
        }
    }
}
