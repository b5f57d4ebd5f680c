//! The values of the tree: a byte for the format, then the record in postcard.

use kuriiri_engine::ViewError;
use serde::{Serialize, de::DeserializeOwned};

use crate::key::Key;

/// postcard 1 of the engine's records as they are now.
const POSTCARD: u8 = 1;

/// The stored form of a record.
pub(crate) fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_extend(record, vec![POSTCARD])
}

/// A record from its stored form, all of it.
pub(crate) fn decode<T: DeserializeOwned>(key: &Key, bytes: &[u8]) -> Result<T, ViewError> {
    let refuse = |what: &str| Err(ViewError(format!("{key:?} {what}")));
    let Some((&POSTCARD, bytes)) = bytes.split_first() else {
        return refuse("is in a format that this version does not know");
    };
    match postcard::take_from_bytes(bytes) {
        Ok((record, [])) => Ok(record),
        Ok((_, rest)) => refuse(&format!("has {} bytes too many", rest.len())),
        Err(error) => refuse(&format!("does not decode: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use bytes::Bytes;
    use kuriiri_damage::{Damage, any_damage};
    use kuriiri_engine::{Body, BodyRef, ChannelEnd, Hold, Item, LogHead, Pack, Parcel, SeenLog};
    use kuriiri_types::{
        BatchProof, Digest, Direction, Envelope, SignedApproval, SignedPart, Timestamp,
    };
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_a_record_is_refused_by_name() {
        let stored = encode(&7u64).unwrap();
        assert_eq!(decode(&Key::Starts, &stored), Ok(7u64));
        let longer = [stored.as_slice(), &[0]].concat();
        for bad in [&[][..], &[0, 7], &[2, 7], &[1], &longer] {
            let error = decode::<u64>(&Key::Starts, bad).unwrap_err();
            assert!(error.0.starts_with("Starts "), "{error}");
        }
    }

    const BODY: BodyRef = BodyRef { file: 7, offset: 1 << 40, len: 33 };

    fn proof() -> BatchProof {
        BatchProof {
            index: 3,
            size: 9,
            path: vec![Digest([1; 32]); 4],
            signer: Digest([2; 32]),
            signature: Bytes::from_static(&[3; 64]),
        }
    }

    fn parcel(body: Body) -> Parcel {
        let approval = Bytes::from_static(b"approval");
        Parcel {
            header: Bytes::from_static(&[4; 300]),
            dest: "um.example".parse().unwrap(),
            path: vec!["sm.example".parse().unwrap()],
            expires: Timestamp::from_millis(1_795_000_000_000),
            accepted: Timestamp::from_millis(-1),
            approvals: vec![SignedApproval { approval, proof: proof() }],
            body,
            aside: None,
        }
    }

    fn pack() -> Pack {
        let parcels = [Body::Inline(Bytes::from_static(&[5; 200])), Body::File(BODY)].map(parcel);
        let items = parcels.map(Item::Parcel).into_iter().chain([Item::Receipt(1 << 33)]);
        let part = SignedPart {
            positions: vec![3, 5],
            size: 9,
            proof: vec![Digest([6; 32]); 5],
            signer: Digest([2; 32]),
            signature: Bytes::from_static(&[3; 64]),
        };
        Pack {
            before: 1 << 20,
            packed: Timestamp::default(),
            parts: vec![part],
            items: items.collect(),
        }
    }

    fn hold() -> Hold {
        Hold {
            envelope: Envelope { header: Bytes::from_static(&[4; 300]), proof: proof() },
            dests: vec!["um.example".parse().unwrap(), "plm.example".parse().unwrap()],
            path: vec![],
            expires: Timestamp::from_millis(1_795_000_000_000),
            accepted: Timestamp::default(),
            approvals: parcel(Body::File(BODY)).approvals,
            body: Body::File(BODY),
        }
    }

    fn head() -> LogHead {
        let frontier = vec![Digest([7; 32]); 5];
        LogHead { size: 31, frontier, policy: Some(Digest([8; 32])), at: Timestamp::default() }
    }

    fn seen_log() -> SeenLog {
        let note = Bytes::from_static(&[9; 200]);
        SeenLog { origin: "um.example/log".into(), size: 5, root: Digest([1; 32]), note }
    }

    fn channel_end() -> ChannelEnd {
        let peer = "um.example".parse().unwrap();
        ChannelEnd { peer, direction: Direction::Out, next: 300, last: Digest([2; 32]) }
    }

    /// A damaged record is refused, or is a whole one that takes no more bytes than it came in.
    fn damaged<T>(record: &T, damage: &Damage) -> Result<(), TestCaseError>
    where
        T: Serialize + DeserializeOwned + PartialEq + Debug,
    {
        let stored = damage.applied_to(&encode(record).unwrap());
        let Ok(read) = decode::<T>(&Key::Starts, &stored) else { return Ok(()) };
        let again = encode(&read).unwrap();
        prop_assert!(again.len() <= stored.len());
        prop_assert_eq!(decode::<T>(&Key::Starts, &again).unwrap(), read);
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        #[test]
        fn a_damaged_record_is_refused_or_is_another_whole_one(damage in any_damage()) {
            damaged(&pack(), &damage)?;
            damaged(&hold(), &damage)?;
            damaged(&head(), &damage)?;
            damaged(&seen_log(), &damage)?;
            damaged(&channel_end(), &damage)?;
        }
    }
}
