//! Against the tiles of `tlog_tiles`, whose paths have the height in them and are else the same.

use kuriiri_tlog::{Place, TILE_HEIGHT, Tile, encode_tile, node_in_tile, tiles_between};
use kuriiri_types::Digest;
use tlog_tiles::stored_hash_index;

use crate::nodes::{Reader, tree};

fn theirs(tile: Tile) -> tlog_tiles::Tile {
    tlog_tiles::Tile::new(TILE_HEIGHT, tile.level, tile.index, u32::from(tile.width), false)
}

#[test]
fn a_growing_tree_needs_the_same_tiles() {
    let sizes = [0, 1, 2, 100, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, 70_000];
    for old in sizes {
        for new in sizes.into_iter().filter(|new| *new >= old) {
            let ours: Vec<String> =
                tiles_between(old, new).map(|tile| theirs(tile).path()).collect();
            let theirs = tlog_tiles::Tile::new_tiles(TILE_HEIGHT, old, new);
            let theirs: Vec<String> = theirs.iter().map(tlog_tiles::Tile::path).collect();
            assert_eq!(ours, theirs, "{old} {new}");
        }
    }
}

#[test]
fn paths_are_the_same_but_for_the_height() {
    for (level, index, width) in
        [(0, 0, 256), (0, 999, 1), (1, 1_000, 255), (2, 1_234_067, 256), (7, 999_999_999, 112)]
    {
        let tile = Tile { level, index, width };
        let path = theirs(tile).path().replacen("tile/8/", "tile/", 1);
        assert_eq!(tile.path(), path);
        assert_eq!(Tile::parse(&path), Some(tile));
    }
}

#[test]
fn tiles_have_the_same_bytes_and_nodes() {
    let size = 66_000;
    let tree = tree(size);
    let reader = Reader(&tree);
    for tile in tiles_between(0, size).filter(|tile| tile.level > 0 || tile.index % 37 == 0) {
        let bytes = theirs(tile).read_data(&reader).unwrap();
        let first = tile.index * 256;
        let node = |at: u64| tree.node(tile.level * TILE_HEIGHT, first + at).unwrap();
        let hashes: Vec<Digest> = (0..u64::from(tile.width)).map(node).collect();
        assert_eq!(encode_tile(&hashes), bytes);
    }
    for (level, index) in [(0, 0), (0, 65_999), (3, 8_000), (7, 514), (8, 256), (9, 64), (16, 0)] {
        let place = Place::of(level, index).unwrap();
        let tile = place.tile(size).unwrap();
        let bytes = theirs(tile).read_data(&reader).unwrap();
        let theirs = theirs(tile).hash_at_index(&bytes, stored_hash_index(level, index)).unwrap();
        let hashes: Vec<Digest> =
            bytes.chunks(32).map(|hash| Digest::from_slice(hash).unwrap()).collect();
        assert_eq!(node_in_tile(&hashes, &place).unwrap().0, theirs.0);
    }
}
