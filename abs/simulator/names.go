package simulator

import (
	"encoding/json"
	"strconv"
)

// tokenID tells a generated token: the slot in the population and which of the
// tokens that follow one another in it.
type tokenID struct {
	slot uint32
	life int32
}

func (t tokenID) number() uint64 { return uint64(t.slot)<<32 | uint64(uint32(t.life)) }

const (
	// jwtHead begins tokens of jwtLen characters and more: {"alg":"RS256"}.
	jwtHead = "eyJhbGciOiJSUzI1NiJ9."
	jwtLen  = 120
	// idLen is how many characters hold the tokenID.
	idLen = 11

	urlAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	// stdAlphabet has characters that mean something in a URL's query, so that a client
	// that doesn't escape them asks about another token.
	stdAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)

// The two multiplications of scramble and their inverses modulo 2^64.
const (
	mul1 = 0x9e3779b97f4a7c15
	mul2 = 0xd6e8feb86659fd93
)

func inverse(m uint64) uint64 {
	x := m // right in the last three bits; each step doubles them
	for range 5 {
		x *= 2 - m*x
	}
	return x
}

// scramble and unscramble are a secret order of all numbers, so that a token's text
// says nothing about its neighbours and yet can be traced back without a table.
func scramble(x, seed uint64) uint64 {
	x ^= seed
	x *= mul1
	x ^= x >> 32
	x *= mul2
	return x ^ x>>32
}

func unscramble(x, seed uint64) uint64 {
	x ^= x >> 32
	x *= inverse(mul2)
	x ^= x >> 32
	x *= inverse(mul1)
	return x ^ seed
}

// appendToken appends the text of a token. It needs no escaping in JSON.
func (t *traffic) appendToken(dst []byte, id tokenID) []byte {
	secret := scramble(id.number(), t.nameSeed)
	h := mix(t.nameSeed, secret)
	length := t.minLen + int(below(h, uint64(t.maxLen-t.minLen+1)))
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

// find tells which generated token a text is.
func (t *traffic) find(token string) (tokenID, bool) {
	id := token
	if len(token) >= jwtLen && token[:len(jwtHead)] == jwtHead {
		id = token[len(jwtHead):]
	}
	if len(id) < idLen || t.tokens == 0 {
		return tokenID{}, false
	}
	var secret uint64
	for i := range idLen {
		var v uint64
		switch c := id[i]; {
		case c >= 'A' && c <= 'Z':
			v = uint64(c - 'A')
		case c >= 'a' && c <= 'z':
			v = uint64(c-'a') + 26
		case c >= '0' && c <= '9':
			v = uint64(c-'0') + 52
		case c == '-':
			v = 62
		case c == '_':
			v = 63
		default:
			return tokenID{}, false
		}
		secret |= v << (6 * i)
	}
	number := unscramble(secret, t.nameSeed)
	found := tokenID{uint32(number >> 32), int32(uint32(number))}
	if uint64(found.slot) >= t.tokens || t.life == 0 && found.life != 0 {
		return tokenID{}, false
	}
	if string(t.appendToken(nil, found)) != token {
		return tokenID{}, false
	}
	return found, true
}

var (
	methods = []string{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"}
	// methodShare is out of 128, added up.
	methodShare = [...]uint8{76, 102, 115, 121, 125, 127, 128}

	devices = []string{
		"UNKNOWN", "LINUX", "MAC_OS_X", "WINDOWS_XP", "WINDOWS_7", "ANDROID", "IOS",
		// ABS also tells whole User-Agent strings (facts 6).
		`Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "Canary"\2`,
	}
	resources = []string{
		"get200", "get400", "put200", "put400", "post200", "post400", "delete200", "delete400",
		"longresponse", "login", "v1/items", "v1/items/4711", "v1/orders", "v2/balance", "health", "search?q=a%20b",
	}
)

// The maps of a row hold at most this many different names.
const (
	maxIPs     = 4
	maxDevices = 2
	maxAPIs    = 3
	maxURLs    = 16 // as many as resources
)

// quoted makes `"name": `, ready for a report.
func quoted(names []string) [][]byte {
	out := make([][]byte, len(names))
	for i, n := range names {
		out[i] = append(appendString(nil, n), ": "...)
	}
	return out
}

// appendString appends a text as a JSON string.
func appendString(dst []byte, s string) []byte {
	q, err := json.Marshal(s)
	if err != nil { // cannot be: any text has a JSON form
		return append(dst, `""`...)
	}
	return append(dst, q...)
}

// profile is what a token's requests have in common.
type profile struct {
	seed                    uint64
	ips, devices, apis, url uint64 // how many of each
	device                  [maxDevices]uint8
	api                     [maxAPIs]int // indices of the APIs
	resource                uint64       // the first URL's
}

func (t *traffic) profile(tokenSeed uint64) profile {
	h := mix(tokenSeed, k0)
	p := profile{seed: h}
	p.ips = 1 + h&3
	p.devices = 1 + h>>2&1
	p.apis = min(1+below(mix(h, 1), maxAPIs), uint64(len(t.apis)))
	p.url = 2 + below(mix(h, 2), maxURLs-1)
	p.device[0] = uint8(h >> 8 & 7)
	p.device[1] = (p.device[0] + 1 + uint8(h>>11&3)) & 7
	for j := range p.apis {
		p.api[j] = int((h>>16&0xffff + j) % uint64(len(t.apis)))
	}
	p.resource = h >> 4 & 15
	return p
}

// urlAPI is which of the token's APIs its u-th URL belongs to.
func (p *profile) urlAPI(u uint64) uint64 { return u % p.apis }

// urlIndex is the u-th URL's place in the table of URLs.
func (p *profile) urlIndex(u uint64) int {
	return p.api[p.urlAPI(u)]*maxURLs + int((p.resource+u)%maxURLs)
}

// appendIP appends the text of the token's j-th IP address.
func (p *profile) appendIP(dst []byte, j uint64) []byte {
	h := mix(p.seed, k1)
	if h&15 == 0 {
		dst = append(dst, "2001:db8::"...)
		dst = strconv.AppendUint(dst, 0x1000+h>>52&0xfff, 16)
		dst = append(dst, ':')
		return strconv.AppendUint(dst, 0x10+(h>>40+j)&0xf, 16)
	}
	dst = append(dst, "10."...)
	dst = strconv.AppendUint(dst, h>>8&0xff, 10)
	dst = append(dst, '.')
	dst = strconv.AppendUint(dst, h>>16&0xff, 10)
	dst = append(dst, '.')
	return strconv.AppendUint(dst, (h>>24+j)&0xff, 10)
}
