use super::*;

fn traces(said: &[Said]) -> Vec<Trace> {
    let trace = |(index, said): (u64, &Said)| Trace {
        message: [1; 16],
        index,
        at: 5,
        who: 7,
        dest: 9,
        said: *said,
    };
    (0..).zip(said).map(trace).collect()
}

const HOME: (u32, Duration) = (1, Duration::from_secs(3600));
/// The same life without what clocks may differ by, in milliseconds.
const LIFE: i64 = 3_300_000;
const PERMIT: Said = Said::Decided(LoggedRuling::Permit, Header::Here, true);
const STAYS: Said = Said::Decided(LoggedRuling::Permit, Header::Here, false);
const HOLD: Said = Said::Decided(LoggedRuling::Hold, Header::Here, false);
const DENY: Said = Said::Decided(LoggedRuling::Deny, Header::Here, false);
const AGAIN: Said = Said::Decided(LoggedRuling::Permit, Header::Earlier, true);
const USED: Said = Said::Decided(LoggedRuling::Permit, Header::Used, true);
const WITHDRAWN: Said = Said::Decided(LoggedRuling::Deny, Header::Used, false);
const TAKEN: Said = Said::Own(ReceiptKind::Accepted, Cause::Other);
const DELIVERED: Said = Said::Came(ReceiptKind::Delivered, true);
const DELIVERED_HERE: Said = Said::Own(ReceiptKind::Delivered, Cause::Other);
const PASSED: Said = Said::Came(ReceiptKind::Relayed, true);
const REFUSED: Said = Said::Own(ReceiptKind::Refused, Cause::Other);
const RULED_OUT: Said = Said::Own(ReceiptKind::Refused, Cause::Rules);
const UNKNOWN: Said = Said::Own(ReceiptKind::Refused, Cause::NoMailbox);
const EXPIRED: Said = Said::Own(ReceiptKind::Expired, Cause::Other);

#[test]
fn a_message_has_one_fate_at_most() {
    use FlawKind::*;
    for (said, flaws, fate) in [
        (&[PERMIT, TAKEN][..], &[][..], "in_flight"),
        (&[PERMIT, TAKEN, PASSED], &[], "passed_on"),
        (&[PERMIT, TAKEN, PASSED, DELIVERED], &[], "delivered"),
        (&[HOLD, TAKEN], &[], "held"),
        (&[HOLD, TAKEN, AGAIN], &[], "in_flight"),
        (&[PERMIT, TAKEN, REFUSED], &[], "refused"),
        (&[PERMIT, UNKNOWN, TAKEN], &[], "refused"),
        (&[REFUSED, PERMIT, TAKEN], &[], "in_flight"),
        (&[PERMIT, TAKEN, EXPIRED], &[], "expired"),
        (&[TAKEN], &[NoDecision], "in_flight"),
        (&[DENY, TAKEN], &[NoDecision], "in_flight"),
        (&[PERMIT, WITHDRAWN, TAKEN, REFUSED], &[], "refused"),
        (&[PERMIT, TAKEN, TAKEN], &[Twice], "in_flight"),
        (&[PERMIT, EXPIRED], &[NeverTaken], ""),
        (&[PERMIT, TAKEN, EXPIRED, REFUSED], &[TwoFates], "refused"),
        (&[PERMIT, TAKEN, EXPIRED, DELIVERED], &[BothTold], "delivered"),
        (&[DELIVERED], &[NeverSent], ""),
        (&[AGAIN], &[NoHeader], ""),
        (&[USED], &[], ""),
        (&[STAYS, TAKEN, RULED_OUT], &[NotDenied], "refused"),
        (&[STAYS, TAKEN, WITHDRAWN, RULED_OUT], &[], "refused"),
        (&[PERMIT, TAKEN, RULED_OUT], &[], "refused"),
        (&[STAYS, TAKEN, PASSED], &[NotLeft], "passed_on"),
        (&[HOLD, TAKEN, PASSED], &[NotLeft], "passed_on"),
        (&[PASSED, PERMIT], &[NeverSent], ""),
        (&[PERMIT, PASSED], &[HeardUntaken], ""),
        (&[STAYS, TAKEN, DELIVERED_HERE], &[], "delivered"),
        (&[HOLD, TAKEN, DELIVERED_HERE], &[NotPermitted], "delivered"),
        (&[STAYS, RULED_OUT], &[NotDenied], ""),
        (&[DENY, RULED_OUT], &[], ""),
        (&[AGAIN, PERMIT], &[], ""),
    ] {
        let history = follow(&traces(said), HOME);
        let found: Vec<FlawKind> = history.flaws.iter().map(|flaw| flaw.kind).collect();
        assert_eq!(found, flaws, "{said:?}");
        let counted = serde_json::to_value(history.fates).unwrap();
        assert!(fate.is_empty() || counted[fate] == 1, "{said:?} {counted}");
        assert_eq!(history.fates.accepted, u64::from(!fate.is_empty()));
    }
}

#[test]
fn decisions_are_taken_again_with_the_header_of_the_entry_that_brought_it() {
    assert_eq!(follow(&traces(&[HOLD, TAKEN, AGAIN]), HOME).deferred, [(0, 2)]);
    assert_eq!(follow(&traces(&[HOLD, TAKEN, USED]), HOME).deferred, []);
    // Within a moment either may come first, and not otherwise.
    let mut both = traces(&[AGAIN, PERMIT]);
    assert_eq!(follow(&both, HOME).deferred, [(1, 0)]);
    both[1].at += 1;
    assert_eq!(follow(&both, HOME).flaws[0].kind, FlawKind::NoHeader);
}

#[test]
fn a_header_is_erased_by_what_the_log_says_later_only() {
    let gone = |said: &[Said]| follow(&traces(said), HOME).gone;
    let erased = |is_erased| vec![Gone { index: 1, keep_until: 5, is_erased }];
    assert_eq!(gone(&[PERMIT, Said::Gone, Said::Erased(true)]), erased(true));
    assert_eq!(gone(&[PERMIT, Said::Gone, Said::Erased(false)]), erased(false));
    assert_eq!(gone(&[Said::Erased(true), Said::Gone]), erased(false));
}

/// The header names one recipient, and its message can expire at 5 at the earliest.
#[test]
fn what_is_stated_is_what_the_header_names_and_lets_be() {
    use FlawKind::*;
    let named = |sum, count, earliest| {
        let mut all = traces(&[PERMIT, TAKEN, EXPIRED]);
        let said = Said::Named(count);
        all.insert(0, Trace { who: sum, at: earliest - LIFE, said, ..all[0].clone() });
        follow(&all, HOME).flaws.into_iter().map(|flaw| flaw.kind).collect::<Vec<_>>()
    };
    assert_eq!(named(7, 1, 5), []);
    assert_eq!(named(7, 1, 6), [EndedEarly]);
    assert_eq!(named(8, 1, 5), [OtherRecipients]);
    assert_eq!(named(14, 2, 5), [OtherRecipients]);
    // Its sender lets it end sooner.
    let mut ends = traces(&[Said::Ends, PERMIT, TAKEN, EXPIRED]);
    ends.insert(0, Trace { who: 7, at: 5, said: Said::Named(1), ..ends[1].clone() });
    assert_eq!(follow(&ends, HOME).flaws, []);
    ends.remove(1);
    assert_eq!(follow(&ends, HOME).flaws[0].kind, EndedEarly);
    // One of two is left out, and one is told twice.
    let mut two = traces(&[PERMIT, TAKEN, EXPIRED]);
    two.insert(0, Trace { who: 7 + 9, at: 5 - LIFE, said: Said::Named(2), ..two[0].clone() });
    assert_eq!(follow(&two, HOME).flaws[0].kind, OtherRecipients);
    two.push(Trace { who: 9, ..two[2].clone() });
    assert_eq!(follow(&two, HOME).flaws, []);
}

/// Whoever makes many entries about one message does not stall whoever reads them.
#[test]
fn very_many_entries_about_one_message_are_followed() {
    let one = traces(&[PERMIT])[0].clone();
    let all: Vec<Trace> = (0..200_000)
        .flat_map(|n| {
            let said = [USED, TAKEN, DELIVERED, Said::Gone, AGAIN];
            let trace = Trace { who: n, dest: u32::try_from(n).unwrap(), index: n, ..one.clone() };
            said.map(|said| Trace { said, ..trace.clone() })
        })
        .collect();
    let history = follow(&all, HOME);
    assert_eq!((history.fates.accepted, history.gone.len()), (200_000, 200_000));
}
