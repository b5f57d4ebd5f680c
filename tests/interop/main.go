// Command main reads a transparency log with code that nobody of the project wrote: the packages
// sumdb/note and sumdb/tlog of the Go project. It knows the C2SP layout and nothing of Kuriiri.
//
//	main LOG VKEY [WITNESS_VKEY...] [-since CHECKPOINT...]
//
// It checks the checkpoint's signatures, the root from the entries alone, every tile, inclusion proofs
// made from the tiles alone, and consistency with each earlier checkpoint. It prints one line and ends
// with 0, or says what is wrong and ends with 1.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func main() {
	if len(os.Args) < 3 {
		fail(errors.New("usage: main LOG VKEY [WITNESS_VKEY...] [-since CHECKPOINT...]"))
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func run(dir, vkey string, rest []string) error {
	var witnesses, since []string
	for at, word := range rest {
		if word == "-since" {
			since = rest[at+1:]
			break
		}
		witnesses = append(witnesses, word)
	}
	verifiers, err := verifiersOf(vkey, witnesses)
	if err != nil {
		return err
	}
	tree, cosigned, err := checkpoint(filepath.Join(dir, "checkpoint"), verifiers)
	if err != nil {
		return err
	}
	hashes, err := fromEntries(dir, tree)
	if err != nil {
		return err
	}
	if err := tiles(dir, tree, hashes); err != nil {
		return err
	}
	reader := tlog.TileHashReader(tree, &folder{dir})
	if err := inclusion(tree, hashes, reader); err != nil {
		return err
	}
	for _, file := range since {
		if err := consistent(file, verifiers, tree, reader); err != nil {
			return err
		}
	}
	fmt.Printf("%d entries, %d cosignatures, %d earlier checkpoints: consistent\n",
		tree.N, cosigned, len(since))
	return nil
}

// === notes ===

// cosigner verifies cosignature/v1, which x/mod does not know.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }

func (c *cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(sig[:8])
	text := fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, msg)
	return ed25519.Verify(c.key, []byte(text), sig[8:])
}

func newCosigner(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("%s is no vkey", vkey)
	}
	hash, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != 4 {
		return nil, fmt.Errorf("%s is not the key of a witness", vkey)
	}
	sum := sha256.Sum256([]byte(parts[0] + "\n" + string(key)))
	if binary.BigEndian.Uint32(sum[:4]) != uint32(hash) {
		return nil, fmt.Errorf("the id in %s is not that of the key", vkey)
	}
	return &cosigner{parts[0], uint32(hash), key[1:]}, nil
}

func verifiersOf(vkey string, witnesses []string) ([]note.Verifier, error) {
	log, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, err
	}
	verifiers := []note.Verifier{log}
	for _, text := range witnesses {
		witness, err := newCosigner(text)
		if err != nil {
			return nil, err
		}
		verifiers = append(verifiers, witness)
	}
	return verifiers, nil
}

// checkpoint reads a checkpoint that the first of the verifiers signed. Gives the number of others.
func checkpoint(file string, verifiers []note.Verifier) (tlog.Tree, int, error) {
	var tree tlog.Tree
	text, err := os.ReadFile(file)
	if err != nil {
		return tree, 0, err
	}
	opened, err := note.Open(text, note.VerifierList(verifiers...))
	if err != nil {
		return tree, 0, fmt.Errorf("%s: %w", file, err)
	}
	log, isSigned := verifiers[0], false
	for _, sig := range opened.Sigs {
		isSigned = isSigned || sig.Name == log.Name() && sig.Hash == log.KeyHash()
	}
	lines := strings.Split(opened.Text, "\n")
	if !isSigned || len(lines) != 4 || lines[3] != "" || lines[0] != log.Name() {
		return tree, 0, fmt.Errorf("%s is not a checkpoint of %s", file, log.Name())
	}
	tree.N, err = strconv.ParseInt(lines[1], 10, 64)
	if err != nil || strconv.FormatInt(tree.N, 10) != lines[1] {
		return tree, 0, fmt.Errorf("%s: its size is %q", file, lines[1])
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tree, 0, fmt.Errorf("%s: its root is %q", file, lines[2])
	}
	copy(tree.Hash[:], root)
	return tree, len(opened.Sigs) - 1, nil
}

// === files ===

// stored keeps all hashes of a tree as sumdb/tlog numbers them.
type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, index := range indexes {
		if index >= int64(len(s)) {
			return nil, fmt.Errorf("there is no hash %d", index)
		}
		hashes = append(hashes, s[index])
	}
	return hashes, nil
}

// fromEntries grows the tree from the entries alone, and holds its root against the checkpoint.
func fromEntries(dir string, tree tlog.Tree) (stored, error) {
	var hashes stored
	for first := int64(0); first < tree.N; first += 1 << height {
		width := tree.N - first
		if width > 1<<height {
			width = 1 << height
		}
		name := place("tile/entries/", first>>height, int(width))
		bundle, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		for n := first; n < first+width; n++ {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return nil, fmt.Errorf("%s is cut short", name)
			}
			length := int(binary.BigEndian.Uint16(bundle))
			more, err := tlog.StoredHashes(n, bundle[2:2+length], hashes)
			if err != nil {
				return nil, err
			}
			hashes, bundle = append(hashes, more...), bundle[2+length:]
		}
		if len(bundle) != 0 {
			return nil, fmt.Errorf("%s is too long", name)
		}
	}
	if tree.N == 0 {
		return hashes, nil
	}
	root, err := tlog.TreeHash(tree.N, hashes)
	if err != nil {
		return nil, err
	}
	if root != tree.Hash {
		return nil, errors.New("the entries do not come to the root of the checkpoint")
	}
	return hashes, nil
}

// tiles holds every file of the log against the tree: hashes byte by byte, and nothing foreign.
func tiles(dir string, tree tlog.Tree, hashes stored) error {
	known := map[string]bool{"checkpoint": true}
	for _, tile := range tlog.NewTiles(height, 0, tree.N) {
		// It lists every width that a partial tile ever had; a log keeps the last.
		if tile.W < 1<<height && tile.N<<height+int64(tile.W) != tree.N>>(height*tile.L) {
			continue
		}
		name := pathOf(tile)
		known[name] = true
		found, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		expected, err := tlog.ReadTileData(tile, hashes)
		if err != nil {
			return err
		}
		if !bytes.Equal(found, expected) {
			return fmt.Errorf("%s is not that of the entries", name)
		}
	}
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		// What is below headers is beside the log and not of its tree.
		if known[name] || strings.HasPrefix(name, "tile/entries/") ||
			strings.HasPrefix(name, "headers/") || strings.Contains(name, ".p/") {
			return nil
		}
		if isNext(dir, name, tree, hashes) {
			return nil
		}
		return fmt.Errorf("%s is a foreign file", name)
	})
}

// isNext tells whether a file is a full tile of a larger tree: a relay that is killed while it shows
// more leaves some behind. They must begin with what this tree has of them.
func isNext(dir, name string, tree tlog.Tree, hashes stored) bool {
	path := fmt.Sprintf("tile/%d/%s", height, strings.TrimPrefix(name, "tile/"))
	tile, err := tlog.ParseTilePath(path)
	if err != nil || tile.W != 1<<height {
		return false
	}
	has := tree.N>>(height*tile.L) - tile.N<<height
	if has >= 1<<height {
		return false
	}
	found, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil || has <= 0 {
		return err == nil
	}
	tile.W = int(has)
	expected, err := tlog.ReadTileData(tile, hashes)
	return err == nil && bytes.HasPrefix(found, expected)
}

// folder gives tiles from the log's files.
type folder struct{ dir string }

func (f *folder) Height() int                     { return height }
func (f *folder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f *folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range tiles {
		bytes, err := os.ReadFile(filepath.Join(f.dir, pathOf(tile)))
		if err != nil {
			return nil, err
		}
		data = append(data, bytes)
	}
	return data, nil
}

// pathOf is where C2SP puts a tile: without the height that sumdb has in it.
func pathOf(tile tlog.Tile) string {
	return place(fmt.Sprintf("tile/%d/", tile.L), tile.N, tile.W)
}

func place(prefix string, n int64, width int) string {
	name := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		name = fmt.Sprintf("x%03d/%s", n%1000, name)
	}
	if width < 1<<height {
		name = fmt.Sprintf("%s.p/%d", name, width)
	}
	return prefix + name
}

// === proofs ===

// inclusion proves entries from the tiles alone: the first and last ones, and some between.
func inclusion(tree tlog.Tree, hashes stored, reader tlog.HashReader) error {
	step := tree.N/64 + 1
	for n := int64(0); n < tree.N; n += step {
		proof, err := tlog.ProveRecord(tree.N, n, reader)
		if err != nil {
			return err
		}
		leaf := hashes[tlog.StoredHashIndex(0, n)]
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, n, leaf); err != nil {
			return fmt.Errorf("entry %d: %w", n, err)
		}
	}
	return nil
}

// consistent proves that the tree grew out of an earlier checkpoint.
func consistent(file string, verifiers []note.Verifier, tree tlog.Tree, reader tlog.HashReader) error {
	old, _, err := checkpoint(file, verifiers)
	if err != nil {
		return err
	}
	if old.N > tree.N {
		return fmt.Errorf("%s has %d entries, and the log has %d", file, old.N, tree.N)
	}
	if old.N == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(tree.N, old.N, reader)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
