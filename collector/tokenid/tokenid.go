// Package tokenid turns tokens into token ids: the stand-ins by which every series, log line and
// file names a token, since a token is a credential.
package tokenid

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"strconv"
)

// ID is the stand-in for a token: the first 64 bits of HMAC-SHA256(key, token).
type ID uint64

// String returns the id as labels show it: 16 hex digits.
func (id ID) String() string {
	const zeros = "0000000000000000"
	s := strconv.FormatUint(uint64(id), 16)
	return zeros[len(s):] + s
}

// Key is the key of the HMAC: the bytes of --series.token-key-file less a last line break. It has
// MinKey bytes at least.
type Key []byte

// MinKey is the length of the shortest accepted key, in bytes.
const MinKey = 16

// ErrShortKey reports a key of fewer than MinKey bytes.
var ErrShortKey = errors.New("the token key is shorter than " + strconv.Itoa(MinKey) + " bytes")

// ID returns the id of one token.
func (k Key) ID(token []byte) ID { return k.Hasher().ID(token) }

// Check returns 8 bytes that tell one key from another and reveal nothing of either.
func (k Key) Check() []byte {
	mac := hmac.New(sha256.New, k)
	mac.Write([]byte("abs-exporter: which key is this?"))
	return mac.Sum(nil)[:8]
}

// Hasher computes ids one after the other without allocating. It is not safe for concurrent use.
type Hasher struct {
	mac hash.Hash
	sum []byte
}

// Hasher returns a hasher for the key.
func (k Key) Hasher() *Hasher {
	return &Hasher{mac: hmac.New(sha256.New, k), sum: make([]byte, 0, sha256.Size)}
}

// ID returns the id of a token.
func (h *Hasher) ID(token []byte) ID {
	h.mac.Reset()
	h.mac.Write(token)
	h.sum = h.mac.Sum(h.sum[:0])
	return ID(binary.BigEndian.Uint64(h.sum))
}
