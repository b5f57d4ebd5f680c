//! What an auditor, a witness or a system gets to prove something by.

use std::sync::LazyLock;

use bytes::Bytes;
use kuriiri_seal::{Authorities, PinnedSigners, SealingKey, Verifier, check_layout, open};
use kuriiri_tlog::{
    Bundle, Checkpoint, Note, Tile, TlogProof, Trust, VerifierKey, decode_bundle, decode_headers,
    encode_headers,
};
use kuriiri_types::{Digest, FileKind, MessageId, Ministry, SealKeyId, Sealing, Timestamp};
use kuriiri_verify::MessageBundle;

use crate::{Parser, text};

pub(crate) const PARSERS: &[Parser] = &[
    Parser { name: "note", read: note },
    Parser { name: "checkpoint", read: checkpoint },
    Parser { name: "key", read: key },
    Parser { name: "proof", read: proof },
    Parser { name: "trust-policy", read: trust_policy },
    Parser { name: "tile-path", read: tile_path },
    Parser { name: "entries", read: entries },
    Parser { name: "headers", read: headers },
    Parser { name: "bundle", read: bundle },
    Parser { name: "signatures", read: signatures },
    Parser { name: "certificate", read: certificate },
    Parser { name: "revocations", read: revocations },
    Parser { name: "sealed", read: sealed },
];

/// 2027, as good as any.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn note(bytes: &[u8]) -> bool {
    Note::parse(bytes).is_ok()
}

fn checkpoint(bytes: &[u8]) -> bool {
    let text = text(bytes);
    Checkpoint::parse(&text).is_ok_and(|read| {
        // Lines may follow that other programs read.
        assert!(text.starts_with(&read.to_string()), "a checkpoint has one form");
        true
    })
}

fn key(bytes: &[u8]) -> bool {
    let text = text(bytes);
    text.parse::<VerifierKey>().is_ok_and(|read| {
        assert_eq!(read.to_string(), text, "a key has one form");
        true
    })
}

fn proof(bytes: &[u8]) -> bool {
    TlogProof::parse(bytes).is_ok()
}

fn trust_policy(bytes: &[u8]) -> bool {
    Trust::parse(bytes).is_ok()
}

fn tile_path(bytes: &[u8]) -> bool {
    let text = text(bytes);
    let paths = [
        Tile::parse(&text).map(|tile| tile.path()),
        Bundle::parse(&text).map(|bundle| bundle.path()),
        Bundle::parse_headers(&text).map(|bundle| bundle.headers_path()),
    ];
    for path in paths.iter().flatten() {
        assert_eq!(*path, text, "a path has one form");
    }
    paths.iter().any(Option::is_some)
}

fn entries(bytes: &[u8]) -> bool {
    let is_read = |width: u16| {
        decode_bundle(bytes, width).is_ok_and(|read| {
            assert_eq!(read.len(), usize::from(width));
            true
        })
    };
    [1, 2, 3, 255, 256].map(is_read).contains(&true)
}

fn headers(bytes: &[u8]) -> bool {
    decode_headers(&Bytes::copy_from_slice(bytes)).is_ok_and(|read| {
        assert_eq!(encode_headers(&read).as_deref(), Ok(bytes), "a file of headers has one form");
        true
    })
}

fn bundle(bytes: &[u8]) -> bool {
    MessageBundle::parse(bytes).is_ok()
}

fn signatures(bytes: &[u8]) -> bool {
    let pinned = PinnedSigners::new();
    pinned.verify(FileKind::Rules, b"a file", &text(bytes), NOW).is_ok()
}

fn certificate(bytes: &[u8]) -> bool {
    let verifier = Verifier::new(Authorities::new());
    assert!(verifier.admit_certificate(&Bytes::copy_from_slice(bytes), NOW).is_err());
    let (ministry, pem) = (ministry(), text(bytes));
    let is_authority = Authorities::new().add(&ministry, &pem).is_ok();
    PinnedSigners::new().add(&pem).is_ok() || is_authority
}

fn revocations(bytes: &[u8]) -> bool {
    Authorities::new().add_revocations(&ministry(), &text(bytes)).is_ok()
}

/// No made-up body opens.
fn sealed(bytes: &[u8]) -> bool {
    static KEY: LazyLock<SealingKey> =
        LazyLock::new(|| SealingKey::generate().unwrap_or_else(|error| panic!("{error}")));
    let keys = vec![SealKeyId { ministry: ministry(), key: KEY.public_key().id() }];
    let sealing = Sealing { suite: 1, keys, content: Digest([7; 32]) };
    let id = MessageId::new(NOW, [7; 10]);
    assert!(open(bytes, &sealing, &ministry(), &KEY, &id).is_err());
    check_layout(bytes, &sealing).is_ok()
}

fn ministry() -> Ministry {
    "um.example".parse().unwrap_or_else(|_| panic!("a ministry has this name"))
}
