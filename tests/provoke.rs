//! The kit for other implementations, held against our own relay, and against some that are wrong on purpose.

mod yes;

use std::{collections::BTreeMap, fs, path::Path};

use kuriiri_provoke::{Case, cases};
use serde_json::Value;

use crate::{
    command::{lines, text},
    federation::{Federation, kuriiri},
    house::ROOT,
};
use yes::Yes;

/// Cases that last as long as a relay waits for others. Those of a row run at the same time, and each row has
/// a relay of its own.
const WAITING: [&[u16]; 2] = [&[501, 502, 503], &[504, 905]];

/// Runs the kit as the relay of plm against that of sm, and gives what it says of each case.
fn provoked(federation: &Federation, picked: &[u16]) -> BTreeMap<u64, Value> {
    let (code, told) = ran(federation, picked);
    let wrong = told.iter().any(|line| line["verdict"] == "wrong");
    assert_eq!(code, Some(i32::from(wrong)), "{told:#?}");
    let told = told.into_iter().filter(|line| line["event"] == "case");
    told.map(|case| (case["number"].as_u64().unwrap(), case)).collect()
}

/// The exit code, and each line on standard output and standard error.
fn ran(federation: &Federation, picked: &[u16]) -> (Option<i32>, Vec<Value>) {
    let relay = address(&federation.path("sm/relay.toml"));
    let [plm, um] = ["plm", "um"].map(|member| text(&federation.path(member)));
    let theirs = text(&federation.system("sm", "kirjaamo"));
    let picked = picked.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
    let output = kuriiri(&[
        "provoke",
        "--json",
        &relay,
        "--as",
        &plm,
        "--stranger",
        &um,
        "--theirs",
        &theirs,
        "--case",
        &picked,
    ]);
    let said = String::from_utf8(output.stdout).unwrap();
    let complained = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), [lines(&said), lines(&complained)].concat())
}

fn address(config: &Path) -> String {
    let config: toml::Table = fs::read_to_string(config).unwrap().parse().unwrap();
    config["listen"].as_str().unwrap().to_owned()
}

fn numbers(is_wanted: impl Fn(&Case) -> bool) -> Vec<u16> {
    cases().iter().filter(|case| is_wanted(case)).map(|case| case.number).collect()
}

fn all_right(picked: &[u16]) {
    let federation = Federation::started(&["sm"]);
    let told = provoked(&federation, picked);
    assert_eq!(told.len(), picked.len());
    let not: Vec<_> = told.values().filter(|case| case["verdict"] != "right").collect();
    assert!(not.is_empty(), "{not:#?}");
}

#[test]
fn our_relay_bears_every_case_as_a_right_relay_does() {
    assert_eq!(numbers(|case| case.waits), WAITING.concat());
    all_right(&numbers(|case| !case.waits));
}

#[test]
fn our_relay_does_not_wait_for_ever() {
    std::thread::scope(|scope| {
        WAITING.iter().for_each(|row| drop(scope.spawn(|| all_right(row))));
    });
}

/// Cases of each family that a relay is wrong in which takes everything and believes everybody.
const TAKEN_BY_YES: &[u16] = &[
    101, 106, 111, 112, 114, 118, 120, 201, 202, 203, 204, 206, 207, 209, 213, 214, 216, 218, 219,
    220, 221, 223, 301, 302, 304, 307, 310, 313, 352, 353, 354, 355, 356, 408, 409, 503, 521, 522,
    523, 604, 607, 622, 623, 701, 702, 703, 704, 706, 709, 802, 803, 804, 806, 809, 810,
];
/// Cases that ask for nothing but that a message is taken.
const RIGHT_BY_YES: &[u16] = &[113, 208, 351, 402, 406, 506, 524, 602, 801];

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_says_yes_to_everything_is_found_wrong() {
    let federation = Federation::written();
    let _yes = Yes::listening(&federation, false);
    let told = provoked(&federation, &[TAKEN_BY_YES, RIGHT_BY_YES].concat());
    let verdict = |number: &u16| told[&u64::from(*number)]["verdict"].as_str().unwrap();
    let not: Vec<_> = TAKEN_BY_YES.iter().filter(|n| verdict(n) != "wrong").collect();
    assert!(not.is_empty(), "{not:?} {told:#?}");
    let not: Vec<_> = RIGHT_BY_YES.iter().filter(|n| verdict(n) != "right").collect();
    assert!(not.is_empty(), "{not:?} {told:#?}");
}

/// What a relay did to a case is not all: it must be there for others afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_serves_nobody_after_a_case_is_found_wrong() {
    let federation = Federation::written();
    let _frail = Yes::listening(&federation, true);
    let told = provoked(&federation, &[106, 113]);
    assert_eq!(told[&113]["verdict"], "wrong");
    let saw = told[&106]["saw"].as_str().unwrap();
    assert!(told[&106]["verdict"] == "wrong" && saw.starts_with("afterwards"), "{saw}");
}

#[test]
fn what_says_nothing_of_a_relay_is_not_called_wrong() {
    let federation = Federation::written();
    let (code, told) = ran(&federation, &[106]);
    assert_eq!((code, told[0]["error"].as_str()), (Some(2), Some("KRI-3103")), "{told:?}");
    let (code, told) = ran(&federation, &[999]);
    assert_eq!((code, told[0]["error"].as_str()), (Some(64), Some("KRI-1005")), "{told:?}");
}

/// The page says of each case the same as the kit, and has no other cases.
#[test]
fn the_page_of_the_contract_has_all_cases() {
    let page = fs::read_to_string(Path::new(ROOT).join("proto/conformance.md")).unwrap();
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let number: u16 = cells.next()?.parse().ok()?;
        let [title, how, demands, why] = [(); 4].map(|()| cells.next().unwrap_or_default());
        assert!(!how.is_empty() && why.len() > " |".len(), "{number}");
        let title = title.split(" *(").next().unwrap_or_default();
        Some((number, title.to_owned(), demands.to_owned()))
    };
    let written: Vec<_> = page.lines().filter_map(row).collect();
    let known: Vec<_> =
        cases().iter().map(|c| (c.number, c.title.to_owned(), c.demands.to_owned())).collect();
    assert_eq!(written, known);
}
