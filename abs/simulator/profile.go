package simulator

import "strconv"

var (
	methods = []string{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"}
	// methodShare is out of 128, added up.
	methodShare = [...]uint8{76, 102, 115, 121, 125, 127, 128}

	devices = []string{
		"UNKNOWN", "LINUX", "MAC_OS_X", "WINDOWS_XP", "WINDOWS_7", "ANDROID", "IOS",
		// ABS reports full User-Agent strings too (facts 6).
		`Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 (KHTML) Chrome/126.0.0.0 "Canary"\2`,
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

// urlAPI returns which of the token's APIs its u-th URL belongs to.
func (p *profile) urlAPI(u uint64) uint64 { return u % p.apis }

// urlIndex returns the index of the u-th URL in the table of URLs.
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
