package collector

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"strconv"

	"github.com/abs-exporter/abs-exporter/collector/ledger"
)

// TokenKey is the key that token ids are made with: the bytes of
// --series.token-key-file less a last line break. 16 bytes at least.
type TokenKey []byte

// MinTokenKey is the length of the shortest key taken, in bytes.
const MinTokenKey = 16

var errShortKey = errors.New("the token key is shorter than " + strconv.Itoa(MinTokenKey) + " bytes")

// tokenHasher makes token ids, one after the other and without allocating.
type tokenHasher struct {
	mac hash.Hash
	sum []byte
}

func (k TokenKey) hasher() *tokenHasher {
	return &tokenHasher{mac: hmac.New(sha256.New, k), sum: make([]byte, 0, sha256.Size)}
}

// id is the first 64 bits of HMAC-SHA256(key, token).
func (h *tokenHasher) id(token []byte) ledger.TokenID {
	h.mac.Reset()
	h.mac.Write(token)
	h.sum = h.mac.Sum(h.sum[:0])
	return ledger.TokenID(binary.BigEndian.Uint64(h.sum))
}

// check is what tells one key from another, and nothing of either.
func (k TokenKey) check() []byte {
	mac := hmac.New(sha256.New, k)
	mac.Write([]byte("abs-exporter: which key is this?"))
	return mac.Sum(nil)[:8]
}

// ID is the token id of a token, as every label shows it.
func (k TokenKey) ID(token []byte) string { return k.hasher().id(token).String() }
