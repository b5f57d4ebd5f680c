//! How long it takes to sign a checkpoint, and to believe one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use kuriiri_merkle::leaf;
use kuriiri_seal::NoteKey;
use kuriiri_tlog::{Checkpoint, NoteSigner};

fn checkpoint(criterion: &mut Criterion) {
    let (key, _) = NoteKey::generate().unwrap();
    let signer = NoteSigner::new("sm.example/log".parse().unwrap(), key);
    let origin = "sm.example/log".to_owned();
    let checkpoint = Checkpoint { origin, size: 1_000_000, root: leaf(b"root") };
    let note = checkpoint.sign(&signer).unwrap();
    criterion.bench_function("sign a checkpoint", |bencher| {
        bencher.iter(|| black_box(&checkpoint).sign(&signer).unwrap());
    });
    criterion.bench_function("verify a checkpoint", |bencher| {
        bencher.iter(|| Checkpoint::verify(black_box(&note), signer.verifier_key()).unwrap());
    });
}

criterion_group!(benches, checkpoint);
criterion_main!(benches);
