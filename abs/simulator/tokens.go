package simulator

import "strings"

// tokenID identifies a generated token: the slot in the population and which of the tokens that
// follow one another in it.
type tokenID struct {
	slot uint32
	life int32
}

func (t tokenID) number() uint64 { return uint64(t.slot)<<32 | uint64(uint32(t.life)) }

const (
	// jwtHead begins tokens of jwtLen characters and more: {"alg":"RS256"}.
	jwtHead = "eyJhbGciOiJSUzI1NiJ9."
	jwtLen  = 120
	// idLen is how many characters encode the tokenID.
	idLen       = 11
	minTokenLen = 36

	urlAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	// stdAlphabet has characters that mean something in a URL's query, so that a client that
	// doesn't escape them asks about another token.
	stdAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)

// The two multiplications of scramble and their inverses modulo 2^64.
const (
	mul1, inverse1 = 0x9e3779b97f4a7c15, 0xf1de83e19937733d
	mul2, inverse2 = 0xd6e8feb86659fd93, 0xcfee444d8b59a89b
)

// scramble and unscramble are a secret order of all numbers, so that a token's text reveals nothing
// about its neighbours and yet can be traced back without a table.
func scramble(x, seed uint64) uint64 {
	x ^= seed
	x *= mul1
	x ^= x >> 32
	x *= mul2
	return x ^ x>>32
}

func unscramble(x, seed uint64) uint64 {
	x ^= x >> 32
	x *= inverse2
	x ^= x >> 32
	x *= inverse1
	return x ^ seed
}

// appendToken appends the text of a token. It needs no escaping in JSON.
func (t *traffic) appendToken(dst []byte, id tokenID) []byte {
	secret := scramble(id.number(), t.nameSeed)
	h := mix(t.nameSeed, secret)
	length := minTokenLen + int(below(h, uint64(t.maxLen-minTokenLen+1)))
	end := len(dst) + length
	alphabet := stdAlphabet
	if length >= jwtLen {
		dst = append(dst, jwtHead...)
		alphabet = urlAlphabet
	}
	for i := range idLen {
		dst = append(dst, urlAlphabet[secret>>(6*i)&63])
	}
	body := len(dst)
	for len(dst) < end {
		h = mix(h, k2)
		x := h
		for n := min(10, end-len(dst)); n > 0; n-- {
			dst = append(dst, alphabet[x&63])
			x >>= 6
		}
	}
	if length >= jwtLen {
		dst[body+(end-body)/2] = '.' // between payload and signature
	}
	return dst
}

// find returns the generated token that a text is.
func (t *traffic) find(token string) (tokenID, bool) {
	id := token
	if len(token) >= jwtLen {
		id = strings.TrimPrefix(token, jwtHead)
	}
	if len(id) < idLen || t.tokens == 0 {
		return tokenID{}, false
	}
	var secret uint64
	for i := range idLen {
		v := strings.IndexByte(urlAlphabet, id[i])
		if v < 0 {
			return tokenID{}, false
		}
		secret |= uint64(v) << (6 * i)
	}
	number := unscramble(secret, t.nameSeed)
	found := tokenID{uint32(number >> 32), int32(uint32(number))}
	if uint64(found.slot) >= t.tokens || t.life == 0 && found.life != 0 {
		return tokenID{}, false
	}
	return found, string(t.appendToken(nil, found)) == token
}
