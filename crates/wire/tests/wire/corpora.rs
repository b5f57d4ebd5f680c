//! Good inputs for the fuzzer, out of the same generators as everything here.

use std::{fs, path::Path};

use kuriiri_wire::{Frame, approval, entry, header};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

use crate::arbitrary;

/// Inputs of each kind.
const INPUTS: usize = 6;
/// Larger ones teach a fuzzer no more, and cost it time.
const BYTES_MAX: usize = 3000;

fn write(name: &str, bytes: impl Iterator<Item = Vec<u8>>) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/tests/__fuzz__").join(name);
    let dir = dir.join("corpus");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    for (number, bytes) in bytes.filter(|bytes| bytes.len() <= BYTES_MAX).take(INPUTS).enumerate() {
        fs::write(dir.join(number.to_string()), bytes).unwrap();
    }
}

fn values<S: Strategy>(strategy: S) -> impl Iterator<Item = S::Value> {
    let mut runner = TestRunner::deterministic();
    std::iter::repeat_with(move || strategy.new_tree(&mut runner).unwrap().current()).take(200)
}

macro_rules! write_frames {
    ($($name:ident),* $(,)?) => {
        $(write(stringify!($name), values(arbitrary::$name()).map(|frame| frame.encode().to_vec()));)*
    };
}

#[test]
#[ignore = "it writes files: run it by hand when the contract has changed"]
fn corpora() {
    write_frames!(
        hello,
        relay_request,
        witnessed,
        proved,
        batch,
        verdicts,
        request,
        reply,
        to_receiver,
        from_receiver,
        to_receipt_reader,
        confirm_receipts,
        admin_request,
        admin_reply,
    );
    write("header", values(arbitrary::header()).map(|header| header::encode(&header).to_vec()));
    write("approval", values(arbitrary::approval()).map(|said| approval::encode(&said).to_vec()));
    write("entry", values(arbitrary::entry()).map(|entry| entry::encode(&entry).to_vec()));
    write(
        "receipt",
        values(arbitrary::receipt_entry()).map(|entry| entry::encode(&entry).to_vec()),
    );
}
