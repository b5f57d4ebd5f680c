//! Every parser reads damaged inputs, a few thousand in each run of the tests. `cargo bolero test` goes on from
//! there, see the README.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected stops")]

use std::collections::BTreeSet;

use bolero::check;
use kuriiri_fuzz::{Parser, corpus, parsers, seeds};

const INPUTS: usize = 2000;

/// What is done to a good input: at a place, so many bytes are dropped and others put in.
type Edit = (u16, u8, Vec<u8>);

fn parser(name: &str) -> &'static Parser {
    let name = name.replace('_', "-");
    parsers().find(|parser| parser.name == name).unwrap()
}

fn edited(seed: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for (place, dropped, added) in edits.iter().take(4) {
        let from = usize::from(*place) % (bytes.len() + 1);
        let to = (from + usize::from(dropped % 16)).min(bytes.len());
        bytes.splice(from..to, added.iter().copied().take(16));
    }
    bytes
}

macro_rules! each {
    ($($name:ident),* $(,)?) => {
        $(
            /// Bytes as they come: a fuzzer begins with the good inputs.
            #[test]
            fn $name() {
                let parser = parser(stringify!($name));
                check!().with_iterations(INPUTS).for_each(|bytes: &[u8]| {
                    (parser.read)(bytes);
                });
            }
        )*

        mod edited_inputs {
            use super::*;

            $(
                #[test]
                fn $name() {
                    let parser = parser(stringify!($name));
                    let seeds = seeds(parser).unwrap();
                    let input = check!().with_type::<(u8, Vec<Edit>)>();
                    input.with_iterations(INPUTS).for_each(|(seed, edits)| {
                        (parser.read)(&edited(&seeds[usize::from(*seed) % seeds.len()], edits));
                    });
                }
            )*
        }

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

each! {
    hello, relay_request, witnessed, proved, batch, verdicts, request, reply, to_receiver, from_receiver,
    to_receipt_reader, confirm_receipts, admin_request, admin_reply, header, approval, entry, receipt,
    note, checkpoint, key, proof, trust_policy, tile_path, entries, headers, bundle, signatures, certificate,
    revocations, sealed,
    catalogue, federation, rules, translation, trials, label, names,
}

#[test]
fn every_parser_has_a_test_and_good_inputs_that_it_takes() {
    let tested: BTreeSet<_> = NAMES.iter().map(|name| name.replace('_', "-")).collect();
    let there: BTreeSet<_> = parsers().map(|parser| parser.name.to_owned()).collect();
    assert_eq!(tested, there);
    for parser in parsers() {
        let taken = seeds(parser).unwrap().iter().filter(|seed| (parser.read)(seed)).count();
        let all = seeds(parser).unwrap().len();
        assert_eq!(taken, all, "what it does not take in {}", corpus(parser).display());
    }
}
