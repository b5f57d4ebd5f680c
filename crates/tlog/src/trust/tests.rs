use proptest::prelude::*;

use super::*;
use crate::{
    Cosigner, KeyTextError, NoteSigner, POLICY_BYTES_MAX, POLICY_LINES_MAX, PolicyFault,
    add_signature,
    testing::{key, tree},
};

const LOG: &str = "sm.example/log";

fn log(seed: u8) -> NoteSigner {
    NoteSigner::new(LOG.parse().unwrap(), key(seed))
}

fn witness(name: &str, seed: u8) -> Cosigner {
    Cosigner::new(name.parse().unwrap(), key(seed))
}

/// The policy of the specification's example: two of three X, and any of three Y.
fn example() -> (String, Vec<Cosigner>) {
    let names = ["x1", "x2", "x3", "y1", "y2", "y3"];
    let witnesses: Vec<Cosigner> =
        (10..).zip(names).map(|(seed, name)| witness(name, seed)).collect();
    let vkey = |at: usize| witnesses[at].verifier_key().to_string();
    let text = format!(
        "# whom we believe\n\
         log {}\n\
         \n\
         witness X1 {}\n\
         witness\tX2 \t{}   https://x2.example/\n  \
         witness X3 {} \n\
         group X-witnesses 2 X1 X2 X3\n\
         \t# and\n\
         witness Y1 {}\n\
         witness Y2 {}\n\
         witness Y3 {}\n\
         group Y-witnesses any Y1 Y2 Y3\n\
         group X-and-Y all X-witnesses Y-witnesses\n\
         quorum X-and-Y\n",
        log(1).verifier_key(),
        vkey(0),
        vkey(1),
        vkey(2),
        vkey(3),
        vkey(4),
        vkey(5)
    );
    (text, witnesses)
}

fn checkpoint(log: &NoteSigner) -> Checkpoint {
    Checkpoint { origin: log.name().to_string(), size: 7, root: tree(7).root() }
}

fn cosigned<'a>(by: impl IntoIterator<Item = &'a Cosigner>) -> Vec<u8> {
    let note = checkpoint(&log(1)).sign(&log(1)).unwrap();
    let text = Note::parse(&note).unwrap().text().to_owned();
    let lines = by.into_iter().map(|witness| witness.cosign(&text, 1000).unwrap());
    lines.fold(note, |note, line| add_signature(&note, line).unwrap()).to_vec()
}

fn fault(text: &str) -> (usize, PolicyFault) {
    match Trust::parse(text.as_bytes()) {
        Err(TrustError::Line { line, fault }) => (line, fault),
        other => panic!("{other:?} for {text}"),
    }
}

#[test]
fn every_choice_of_witnesses_is_judged_by_the_example_of_the_specification() {
    let (text, witnesses) = example();
    let trust = Trust::parse(text.as_bytes()).unwrap();
    for bits in 0..64_u32 {
        let has = |at: usize| bits >> at & 1 == 1;
        let by: Vec<&Cosigner> = (0..6).filter(|at| has(*at)).map(|at| &witnesses[at]).collect();
        let (read, quorum) = trust.checkpoint(&cosigned(by.iter().copied())).unwrap();
        assert_eq!(read, checkpoint(&log(1)));
        let x = (0..3).filter(|at| has(*at)).count();
        let y = (3..6).filter(|at| has(*at)).count();
        assert_eq!(quorum.met, x >= 2 && y >= 1, "{bits:b}");
        let names: Vec<&str> = quorum.by.iter().map(|cosigned| cosigned.key.as_str()).collect();
        assert_eq!(names, by.iter().map(|by| by.name().as_str()).collect::<Vec<_>>());
        assert!(quorum.by.iter().all(|cosigned| cosigned.time == 1000));
        assert!(quorum.by.iter().all(|by| by.witness == by.key.as_str().to_uppercase()));
    }
}

#[test]
fn a_policy_is_written_as_it_was_read() {
    let trust = Trust::parse(example().0.as_bytes()).unwrap();
    let written = trust.to_bytes();
    assert_eq!(Trust::parse(&written).unwrap(), trust);
    assert_eq!(trust.witnesses()[1].url().unwrap(), "https://x2.example/");
    assert_eq!((trust.logs()[0].url(), trust.witnesses()[0].url()), (None, None));
    assert_eq!(trust.log(LOG).unwrap().key(), log(1).verifier_key());
    assert_eq!(trust.log("other"), None);

    let text = example().0.replace("\tX", " X");
    let octets = text.split(" X").map(str::as_bytes).collect::<Vec<_>>().join(&b" \xff"[..]);
    let trust = Trust::parse(&octets).unwrap();
    assert_eq!(Trust::parse(&trust.to_bytes()).unwrap(), trust);
    assert_eq!(trust.witnesses()[0].name(), "\u{fffd}1");
}

#[test]
fn a_policy_of_so_many_witnesses_needs_as_many() {
    let (_, witnesses) = example();
    let keys: Vec<VerifierKey> = witnesses.iter().map(|w| w.verifier_key().clone()).collect();
    let logs = [log(1).verifier_key().clone()];
    for needed in 0..=6 {
        let trust = Trust::new(&logs, &keys, needed).unwrap();
        for count in 0..=6 {
            let quorum = trust.checkpoint(&cosigned(&witnesses[..count])).unwrap().1;
            assert_eq!((quorum.met, quorum.by.len()), (count >= needed, count));
        }
    }
    let refused = Trust::new(&logs, &keys, 7);
    assert_eq!(refused, Err(TrustError::Needed { needed: 7, witnesses: 6 }));
    assert!(Trust::new(&keys, &keys, 1).is_err());
    assert!(Trust::new(&logs, &logs, 1).is_err());
}

#[test]
fn more_than_two_thirds_are_needed() {
    let expected = [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (7, 5), (10, 7)];
    for (witnesses, needed) in expected {
        assert_eq!(witnesses_needed(witnesses), needed, "{witnesses}");
    }
    for witnesses in 1..1000 {
        let needed = witnesses_needed(witnesses);
        assert_eq!(needed, 1 + 2 * witnesses / 3);
        // Two quorums share more than a third, and one fewer would not do.
        assert!(needed <= witnesses && 3 * (2 * needed - witnesses) > witnesses);
        assert!(3 * (2 * (needed - 1)) <= 4 * witnesses);
    }
    assert_eq!(witnesses_needed(usize::MAX), usize::MAX / 3 * 2 + 1);
}

#[test]
fn only_a_log_that_is_listed_is_believed() {
    let trust = Trust::new(&[log(1).verifier_key().clone()], &[], 0).unwrap();
    let by_other_key = checkpoint(&log(2)).sign(&log(2)).unwrap();
    let unknown = TrustError::UnknownLog(LOG.to_owned());
    assert_eq!(trust.checkpoint(&by_other_key), Err(unknown));

    // Two keys of one log, as when it changes them.
    let keys = [log(1).verifier_key().clone(), log(2).verifier_key().clone()];
    let both = Trust::new(&keys, &[], 0).unwrap();
    assert!(both.checkpoint(&by_other_key).unwrap().1.met);

    // A listed log that signs in the name of another.
    let other = NoteSigner::new("plm.example/log".parse().unwrap(), key(3));
    let text = checkpoint(&log(1)).to_string();
    let mut note = Note::new(text.clone()).unwrap();
    note.add(other.sign(&text).unwrap()).unwrap();
    let keys = [log(1).verifier_key().clone(), other.verifier_key().clone()];
    let trust = Trust::new(&keys, &[], 0).unwrap();
    assert_eq!(trust.checkpoint(&note.to_bytes()), Err(TrustError::UnknownLog(LOG.to_owned())));
}

#[test]
fn a_forged_cosignature_is_not_merely_ignored() {
    let (text, witnesses) = example();
    let trust = Trust::parse(text.as_bytes()).unwrap();
    let mut note = Note::parse(&cosigned(&witnesses)).unwrap();
    let elsewhere = Checkpoint { size: 8, ..checkpoint(&log(1)) }.to_string();
    note.add(witnesses[0].cosign(&elsewhere, 1000).unwrap()).unwrap();
    let refused = NoteError::BadSignature(witnesses[0].name().clone());
    assert_eq!(trust.quorum(&note), Err(refused));
    assert!(trust.checkpoint(&note.to_bytes()).is_err());
}

#[test]
fn it_is_said_which_line_is_wrong_and_why() {
    let (l, w, w2) = (log(1), witness("w", 2), witness("w2", 3));
    let (l, w, w2) = (l.verifier_key(), w.verifier_key(), w2.verifier_key());
    let name = |name: &str| name.to_owned();
    let base = format!("log {l}\nwitness w {w}\nwitness w2 {w2}\n");
    let words =
        |line: &str| matches!(fault(&format!("{base}{line}\n")), (4, PolicyFault::Words(_)));
    for line in ["log", "witness a", "group g", "quorum", "quorum a b", "log a b c"] {
        assert!(words(line), "{line}");
    }
    let on_4 = |line: &str| match fault(&format!("{base}{line}\nquorum none\n")) {
        (4, fault) => fault,
        other => panic!("{other:?}"),
    };
    assert_eq!(on_4("Log x"), PolicyFault::Keyword);
    assert_eq!(on_4("log a\rb"), PolicyFault::Control);
    assert_eq!(on_4("# \x7f"), PolicyFault::Control);
    assert_eq!(on_4("log x"), PolicyFault::Key(KeyTextError::Format));
    let wrong_kind = PolicyFault::Key(KeyTextError::WrongKind(w.name().clone()));
    assert_eq!(on_4(&format!("log {w}")), wrong_kind);
    assert!(matches!(on_4(&format!("witness l {l}")), PolicyFault::Key(_)));
    assert_eq!(on_4(&format!("log {l}")), PolicyFault::SameKey);
    let renamed = VerifierKey::new("z".parse().unwrap(), w.kind(), *w.public_key());
    assert_eq!(on_4(&format!("witness z {renamed}")), PolicyFault::SameKey);
    let third = witness("w", 4);
    let third = third.verifier_key();
    assert_eq!(on_4(&format!("witness w {third}")), PolicyFault::SameName(name("w")));
    assert_eq!(on_4(&format!("witness none {third}")), PolicyFault::SameName(name("none")));
    assert_eq!(on_4("group w any w2"), PolicyFault::SameName(name("w")));
    assert_eq!(on_4("group g any g"), PolicyFault::Undefined(name("g")));
    assert_eq!(on_4("group g any none"), PolicyFault::Undefined(name("none")));
    assert_eq!(on_4("group g any w w"), PolicyFault::TwiceMember(name("w")));
    assert_eq!(on_4("group g all"), PolicyFault::Threshold(name("all")));
    for bad in ["0", "3", "+1", "01", "ALL", "-1", "99999999999999999999"] {
        assert_eq!(on_4(&format!("group g {bad} w w2")), PolicyFault::Threshold(name(bad)));
    }
    assert_eq!(on_4("quorum x"), PolicyFault::Undefined(name("x")));
    let twice = fault(&format!("{base}group g any w\ngroup h any w\nquorum h\n"));
    assert_eq!(twice, (5, PolicyFault::TwiceMember(name("w"))));
    let second = fault(&format!("{base}quorum w\nquorum w\n"));
    assert_eq!(second, (5, PolicyFault::SecondQuorum));

    let parse = |text: &str| Trust::parse(text.as_bytes());
    assert_eq!(parse(&base), Err(TrustError::NoQuorum));
    assert_eq!(parse(""), Err(TrustError::NoQuorum));
    assert_eq!(parse("quorum none"), Err(TrustError::Unended));
    let large = POLICY_BYTES_MAX + 1;
    assert_eq!(Trust::parse(&vec![b'\n'; large]), Err(TrustError::TooLarge(large)));
    let error = parse(&format!("{base}quorum x\n")).unwrap_err().to_string();
    assert_eq!(error, "line 4 of the policy: no earlier line defines `x`");
}

#[test]
fn there_is_room_for_as_many_as_the_specification_recommends_and_an_end() {
    let witnesses = |count: usize| -> String {
        let vkey = |at: usize| {
            let name = format!("w{at}").parse().unwrap();
            let mut public_key = [0; 32];
            public_key[..8].copy_from_slice(&at.to_be_bytes());
            VerifierKey::new(name, crate::KeyKind::Cosignature, public_key)
        };
        (0..count).map(|at| format!("witness w{at} {}\n", vkey(at))).collect()
    };
    let most = format!("{}quorum none\n", witnesses(POLICY_LINES_MAX));
    assert_eq!(Trust::parse(most.as_bytes()).unwrap().witnesses().len(), POLICY_LINES_MAX);
    let more = format!("{}quorum none\n", witnesses(POLICY_LINES_MAX + 1));
    assert_eq!(fault(&more).1, PolicyFault::TooMany(POLICY_LINES_MAX));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        bytes in any::<Vec<u8>>(),
        lines in "((log|witness|group|quorum|#) ?[a-z0-9 +\t]{0,12}\n){0,5}",
    ) {
        let _ = Trust::parse(&bytes);
        if let Ok(trust) = Trust::parse(lines.as_bytes()) {
            prop_assert_eq!(Trust::parse(&trust.to_bytes()), Ok(trust));
        }
    }
}

#[test]
fn a_log_vouches_for_the_later_ones_of_its_ministry_and_for_no_other() {
    let trust = Trust::new(&[log(1).verifier_key().clone()], &[], 0).unwrap();
    let signed = |origin: &str, seed: u8| {
        let signer = log(seed).renamed(origin.parse().unwrap());
        trust.checkpoint(&checkpoint(&signer).sign(&signer).unwrap())
    };
    for origin in [LOG, "sm.example/log/2", "sm.example/log/17"] {
        assert_eq!(signed(origin, 1).unwrap().0.origin, origin);
        assert!(signed(origin, 2).is_err(), "{origin}");
        assert!(trust.log_key(origin).is_some());
    }
    for origin in ["um.example/log/2", "sm.example/other", "other"] {
        assert_eq!(signed(origin, 1), Err(TrustError::UnknownLog(origin.into())));
        assert_eq!(trust.log_key(origin), None);
    }
    // Whoever lists a later one alone does not vouch for those before it.
    let second = log(1).renamed("sm.example/log/2".parse().unwrap());
    let later = Trust::new(&[second.verifier_key().clone()], &[], 0).unwrap();
    assert!(later.log_key(LOG).is_none() && later.log_key("sm.example/log/3").is_some());
}

#[test]
fn the_witness_of_the_logs_own_ministry_does_not_count() {
    let names = ["sm.example/witness", "plm.example/witness", "sm.example.other/witness"];
    let witnesses: Vec<Cosigner> = (20..).zip(names).map(|(at, name)| witness(name, at)).collect();
    let keys: Vec<VerifierKey> = witnesses.iter().map(|w| w.verifier_key().clone()).collect();
    let trust = Trust::new(&[log(1).verifier_key().clone()], &keys, 2).unwrap();
    let by =
        |by: &[usize]| trust.checkpoint(&cosigned(by.iter().map(|at| &witnesses[*at]))).unwrap().1;
    assert!(!by(&[0, 1]).met && by(&[0, 1]).by.len() == 1);
    assert!(by(&[1, 2]).met);
    assert_eq!(trust.witnesses()[0].ministry(), Some("sm.example".parse().unwrap()));
}
