use std::collections::BTreeSet;

use kuriiri_merkle::{Nodes, inclusion, root};
use proptest::prelude::*;

use super::*;
use crate::testing::{flipped_bytes, leaves, tree};

fn tile(level: u8, index: u64, width: u16) -> Tile {
    Tile { level, index, width }
}

#[test]
fn the_example_of_the_specification_has_its_tiles() {
    let tiles: Vec<Tile> = tiles_of(70_000).collect();
    let full = |level: u8| tiles.iter().filter(|t| t.level == level && t.width == 256).count();
    assert_eq!((full(0), full(1), full(2)), (273, 1, 0));
    let partial: Vec<Tile> = tiles.iter().copied().filter(|t| t.width < 256).collect();
    assert_eq!(partial, [tile(0, 273, 112), tile(1, 1, 17), tile(2, 0, 1)]);
    assert_eq!(tiles.len(), 273 + 1 + 3);
    assert_eq!(tiles_of(256).collect::<Vec<_>>(), [tile(0, 0, 256), tile(1, 0, 1)]);
    assert_eq!(tiles_of(0).count(), 0);
    let bundles: Vec<Bundle> = bundles_of(70_000).collect();
    assert_eq!(bundles.len(), 274);
    assert_eq!(bundles.last(), Some(&Bundle { index: 273, width: 112 }));
}

#[test]
fn paths_are_those_of_the_specification() {
    for (tile, path) in [
        (tile(0, 0, 256), "tile/0/000"),
        (tile(0, 273, 112), "tile/0/273.p/112"),
        (tile(1, 1_234_067, 256), "tile/1/x001/x234/067"),
        (tile(0, 1_067, 112), "tile/0/x001/067.p/112"),
        (tile(63, 1_000, 1), "tile/63/x001/000.p/1"),
        (tile(7, u64::MAX, 255), "tile/7/x018/x446/x744/x073/x709/x551/615.p/255"),
    ] {
        assert_eq!(tile.path(), path);
        assert_eq!(Tile::parse(path), Some(tile));
        assert_eq!(Bundle::parse(path), None);
    }
    let bundle = Bundle { index: 1_067, width: 112 };
    assert_eq!(bundle.path(), "tile/entries/x001/067.p/112");
    assert_eq!(Bundle::parse(&bundle.path()), Some(bundle));
    assert_eq!(Bundle::parse("tile/entries/000"), Some(Bundle { index: 0, width: 256 }));
    assert_eq!(Tile::parse("tile/entries/000"), None);
}

#[test]
fn a_tile_has_one_path() {
    for bad in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/+00",
        "tile/00/000",
        "tile/01/000",
        "tile/-1/000",
        "tile/64/000",
        "tile/256/000",
        "tile/0/x000/000",
        "tile/0/000/000",
        "tile/0/x001",
        "tile/0/xx01/000",
        "tile/0/x001/x000",
        "tile/0/x001/000/",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/65792",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.p/1",
        "tile/8/data/000",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert_eq!(Tile::parse(bad), None, "{bad}");
    }
    let path = tile(3, 1_234_067, 112).path();
    for mutant in flipped_bytes(path.as_bytes()) {
        let read = str::from_utf8(&mutant).ok().and_then(|path| Some((Tile::parse(path)?, path)));
        assert!(read.is_none_or(|(tile, mutant)| tile.path() == mutant && mutant != path));
    }
}

#[test]
fn every_node_is_where_its_place_says() {
    for size in [1, 2, 255, 256, 257, 700] {
        let tree = tree(size);
        for level in 0..12 {
            for index in 0..(size >> level) + 2 {
                let place = Place::of(level, index).unwrap();
                let Some(expected) = tree.node(level, index) else {
                    assert_eq!(place.tile(size), None);
                    continue;
                };
                let tile = place.tile(size).unwrap();
                assert!(tiles_of(size).any(|other| other == tile));
                let first = tile.index * u64::from(TILE_WIDTH);
                let hash = |at| tree.node(tile.level * TILE_HEIGHT, first + at).unwrap();
                let hashes: Vec<Digest> = (0..u64::from(tile.width)).map(hash).collect();
                assert_eq!(node_in_tile(&hashes, &place), Some(expected), "{size} {level} {index}");
                let narrow = usize::from(place.first + place.count) - 1;
                assert_eq!(node_in_tile(&hashes[..narrow], &place), None);
            }
        }
    }
    assert_eq!(Place::of(64, 0), None);
    assert_eq!(Place::of(1, u64::MAX), None);
    assert_eq!(Place::of(63, 0).unwrap().tile(u64::MAX).unwrap(), tile(7, 0, 255));
    assert_eq!(Place::of(63, 0).unwrap().tile(u64::MAX >> 1), None);
}

#[test]
fn the_tiles_between_are_those_that_are_new() {
    let sizes = [0, 1, 2, 255, 256, 257, 300, 511, 512, 65_535, 65_536, 65_537, 66_000];
    for old in sizes {
        for new in sizes {
            let had: BTreeSet<Tile> = tiles_of(old).collect();
            let expected: Vec<Tile> = tiles_of(new).filter(|tile| !had.contains(tile)).collect();
            let between: Vec<Tile> = tiles_between(old, new).collect();
            assert_eq!(between, if old <= new { expected } else { vec![] }, "{old} {new}");
            let had: BTreeSet<Bundle> = bundles_of(old).collect();
            let expected: Vec<Bundle> = bundles_of(new).filter(|b| !had.contains(b)).collect();
            let between: Vec<Bundle> = bundles_between(old, new).collect();
            assert_eq!(between, if old <= new { expected } else { vec![] });
        }
    }
}

#[test]
fn a_tile_is_exactly_its_hashes() {
    let hashes = leaves(3);
    let bytes = encode_tile(&hashes);
    assert_eq!(bytes.len(), 96);
    assert_eq!(decode_tile(&bytes, 3), Some(hashes));
    assert_eq!(decode_tile(&bytes, 2), None);
    assert_eq!(decode_tile(&bytes[..95], 3), None);
    assert_eq!(decode_tile(&[], 0), None);
    assert_eq!(decode_tile(&vec![0; 257 * 32], 257), None);
    assert_eq!(decode_tile(&vec![0; 256 * 32], 256).unwrap().len(), 256);
}

#[test]
fn a_bundle_is_exactly_its_entries() {
    let long = vec![7; ENTRY_BYTES_MAX];
    let entries: [&[u8]; 4] = [b"one", b"", b"three", &long];
    let bundle = encode_bundle(&entries).unwrap();
    assert_eq!(bundle[..9], *b"\x00\x03one\x00\x00\x00\x05");
    assert_eq!(decode_bundle(&bundle, 4).unwrap(), entries);
    assert_eq!(decode_bundle(&bundle, 3), Err(BundleError::TooLarge(3)));
    let few = BundleError::TooFew { found: 4, width: 5 };
    assert_eq!(decode_bundle(&bundle, 5), Err(few));
    assert_eq!(decode_bundle(&bundle[..14], 4), Err(BundleError::TooFew { found: 3, width: 4 }));
    assert_eq!(decode_bundle(&bundle[..15], 4), Err(BundleError::CutOff(3)));
    assert_eq!(decode_bundle(&bundle[..bundle.len() - 1], 4), Err(BundleError::CutOff(3)));

    let mut bundle = Vec::new();
    let too_long = vec![0; ENTRY_BYTES_MAX + 1];
    assert_eq!(append_entry(&mut bundle, &too_long), Err(BundleError::TooLong(65_536)));
    assert!(bundle.is_empty());
    let many = vec![b""; 257];
    assert_eq!(encode_bundle(&many), Err(BundleError::TooMany(257)));
    assert_eq!(encode_bundle(&many[..256]).unwrap().len(), 512);
}

#[test]
fn a_flipped_bit_of_a_bundle_is_refused_or_says_something_else() {
    let entries: [&[u8]; 3] = [b"one", b"", b"three"];
    let bundle = encode_bundle(&entries).unwrap();
    for mutant in flipped_bytes(&bundle) {
        assert!(
            decode_bundle(&mutant, 3).is_err() || decode_bundle(&mutant, 3).unwrap() != entries
        );
    }
}

proptest! {
    #[test]
    fn what_is_read_is_what_was_written(bytes in any::<Vec<u8>>(), width in 0..6_u16) {
        if let Ok(entries) = decode_bundle(&bytes, width) {
            prop_assert_eq!(encode_bundle(&entries).unwrap(), bytes);
        }
    }

    #[test]
    fn no_path_makes_it_panic(path in "(tile/)?[0-9x/.pentris]{0,30}") {
        prop_assert!(Tile::parse(&path).is_none_or(|tile| tile.path() == path));
        prop_assert!(Bundle::parse(&path).is_none_or(|bundle| bundle.path() == path));
    }

    #[test]
    fn every_path_is_read(level in 0..64_u8, index in any::<u64>(), width in 1..=256_u16) {
        let (tile, bundle) = (tile(level, index, width), Bundle { index, width });
        prop_assert_eq!(Tile::parse(&tile.path()), Some(tile));
        prop_assert_eq!(Bundle::parse(&bundle.path()), Some(bundle));
    }

    #[test]
    fn no_place_makes_it_panic(level in any::<u8>(), index in any::<u64>(), size in any::<u64>()) {
        let tile = Place::of(level, index).and_then(|place| place.tile(size));
        let is_complete = level < 64 && index < size >> level;
        prop_assert_eq!(tile.is_some(), is_complete);
    }
}

#[test]
fn a_store_of_tiles_answers_as_the_tree_does() {
    struct Store(std::collections::BTreeMap<Tile, Vec<Digest>>, u64);

    impl Nodes for Store {
        type Error = ();

        fn node(&self, level: u8, index: u64) -> Result<Digest, ()> {
            let place = Place::of(level, index).ok_or(())?;
            let tile = place.tile(self.1).ok_or(())?;
            node_in_tile(self.0.get(&tile).ok_or(())?, &place).ok_or(())
        }
    }

    let tree = tree(66_000);
    let stored = tiles_of(66_000).map(|tile| {
        let (first, held) = tree.held(tile.level * TILE_HEIGHT);
        assert_eq!(first, 0);
        let start = usize::try_from(tile.index).unwrap() * 256;
        (tile, held[start..start + usize::from(tile.width)].to_vec())
    });
    let store = Store(stored.collect(), 66_000);
    assert_eq!(root(&store, 66_000), Ok(tree.root()));
    for index in [0, 255, 256, 65_535, 65_536, 65_999] {
        assert_eq!(
            inclusion(&store, index, 66_000).unwrap(),
            inclusion(&tree, index, 66_000).unwrap()
        );
    }
}
