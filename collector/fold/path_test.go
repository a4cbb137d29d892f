package fold

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPath(t *testing.T) {
	for url, want := range map[string]string{
		// As in ABS's published samples and in the simulator.
		"/2_atm_app_oauth/longresponse": "/2_atm_app_oauth/longresponse",
		"/atm_app_oauth/get200":         "/atm_app_oauth/get200",
		"/shop/v1/items/4711":           "/shop/v1/items/{id}",
		"/shop/search?q=a%20b":          "/shop/search",

		"": "/", "/": "/", "//": "/", "*": "*", "_other": "_other", "/shop//list/": "/shop/list", "shop/4711": "shop/{id}",
		"https://user:hunter2@abs.example.com:8080/shop/1?x#y": "/shop/{id}", "https://abs.example.com": "/", "/a/https://b/c": "/a/{id}/b/c",
		"/shop;jsessionid=5A3F/list;x=1#top": "/shop/list", "/.well-known/jwks.json": "/.well-known/jwks.json", "/../etc/passwd": "/../etc/passwd",

		"/api/v2.1/users":           "/api/v2.1/users",
		"/apis/apps/v1beta1/pods":   "/apis/apps/v1beta1/pods",
		"/oauth2/i18n/k8s/x509":     "/oauth2/i18n/k8s/x509",
		"/getOrderById/webhooks":    "/getOrderById/webhooks",
		"/order-items/index.html":   "/order-items/index.html",
		"/$metadata/@me/-/ready":    "/$metadata/@me/-/ready",
		"/größe/%E5%95%86%E5%93%81": "/größe/商品",

		"/shop/-17/3.14/1,2/10.0.0.1":                         "/shop/{id}/{id}/{id}/{id}",
		"/o/3F2504E0-4F89-11D3-9A0C-0305E82C3301":             "/o/{id}",
		"/o/%7B3f2504e0-4f89-11d3-9a0c-0305e82c3301%7D":       "/o/{id}",
		"/o/507f1f77bcf86cd799439011/0123456789abcdef":        "/o/{id}/{id}",
		"/o/deadbeefcafefeed/order-12345/12345.json":          "/o/{id}/{id}/{id}",
		"/odata/Orders(4711)/Customers('ALFKI')/(1)":          "/odata/Orders({id})/Customers({id})/{id}",
		"/2026-11-27/2026-11-27T10:00:00Z/2026_11_27":         "/{date}/{date}/{date}",
		"/2026-11-278/20261127/2026-11":                       "/{id}/{id}/{id}",
		"/u/jane.doe@example.com/jane%40example.com/a+b@c.de": "/u/{email}/{email}/{email}",
		"/u/user:password/key=value/a%2Fb/%zz/%2":             "/u/{id}/{id}/{id}/{id}/{id}",
		"/u/%00/%FF/a b/a%20b/<script>":                       "/u/{id}/{id}/{id}/{id}/{id}",
		"/watch/dQw4w9WgXcQ/qzxkvbnmtrplwsdf":                 "/watch/{id}/{id}",
		"/reset/eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0./confirm": "/reset/{id}/confirm",
		"/" + strings.Repeat("word", 17):                      "/{id}",
		"/shop/{id}/{date}/{email}/{name}":                    "/shop/{id}/{date}/{email}/{id}",
	} {
		if got := string(Path(nil, []byte(url), nil)); got != want {
			t.Errorf("the template of %q is %q, not %q", url, got, want)
		}
	}
}

// A token shows nowhere, whatever it looks like.
func TestPathHidesTheToken(t *testing.T) {
	for _, tt := range []struct{ url, token, want string }{
		{"/introspect/token_highresptime", "token_highresptime", "/introspect/{id}"},
		{"/introspect/%74oken_highresptime.json", "token_highresptime", "/introspect/{id}"},
		{"/shop/list", "shop", "/{id}/list"},
		{"/a/shop", "a", "/{id}/shop"},
		{"/raw/canary/of-a-token/revoke", "canary/of-a-token", "/raw/{id}"},
		{"/raw/my-canary/of-a-tokens", "canary/of-a-token", "/raw/my-/{id}"},
		{"/raw/canary%2Fof-a-token", "canary/of-a-token", "/raw/{id}"},
		{"/raw/%63anary/of-a-token/x", "canary/of-a-token", "/raw/{id}"},
		{"/raw/canary//of-a;x=1/tok%65n", "canary/of-a/token", "/raw/{id}"},
		{"i/0", "i/{i", "/{id}"}, // found by fuzzing
		{"/shop/list", "another-token", "/shop/list"},
	} {
		if got := string(Path([]byte("kept"), []byte(tt.url), []byte(tt.token))); got != "kept"+tt.want {
			t.Errorf("the template of %q is %q", tt.url, got)
		}
	}
}

// Credentials are drawn at random, so that few of them may look like words: 22 letters that do by
// chance are one in many thousands. None has as many as a session id or an access token.
func TestPathHidesCredentials(t *testing.T) {
	const n = 20_000
	rng := rand.New(rand.NewPCG(1, 2))
	random := func(bytes int) []byte {
		b := make([]byte, bytes)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	letters := func(length int) string {
		b := random(length)
		for i := range b {
			b[i] = base62[int(b[i])%len(base62)]
		}
		return string(b)
	}
	for name, tt := range map[string]struct {
		draw func() string
		most int
	}{
		"16 hex digits": {func() string { return hex.EncodeToString(random(8)) }, 0},
		"32 hex digits": {func() string { return hex.EncodeToString(random(16)) }, 0},
		"a UUID": {func() string {
			b := random(16)
			return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
		}, 0},
		"128 bits, Base64": {func() string { return base64.RawURLEncoding.EncodeToString(random(16)) }, 4},
		"256 bits, Base64": {func() string { return base64.RawURLEncoding.EncodeToString(random(32)) }, 0},
		"22 characters":    {func() string { return letters(22) }, 4},
		"32 characters":    {func() string { return letters(32) }, 0},
		"a JWT": {func() string {
			return "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString(random(60)) + "." + base64.RawURLEncoding.EncodeToString(random(32))
		}, 0},
	} {
		shown := 0
		for range n {
			if credential := tt.draw(); string(Path(nil, []byte("/reset/"+credential), nil)) != "/reset/{id}" {
				shown++
			}
		}
		if shown > tt.most {
			t.Errorf("%s: %d of %d are shown", name, shown, n)
		}
	}
}

// FuzzTemplate checks that a template is its own, and shows neither the token nor what is no path.
func FuzzTemplate(f *testing.F) {
	for _, url := range []string{
		"/shop/v1/items/4711?q=1", "https://u:p@h/x", "/a;b=c/%41%zz", "/{id}/{x}/(1)/a(b)", "/größe/%E5%95%86", "/\xff/%ff", "a://b", "://", "/a@b/2026-11-27",
	} {
		f.Add([]byte(url), []byte("token"))
	}
	f.Fuzz(func(t *testing.T, url, token []byte) {
		template := Path(nil, url, token)
		braces := bytes.ContainsAny(token, "{}") // it may be a part of what stands for it
		if again := Path(nil, template, token); !braces && !bytes.Equal(again, template) {
			t.Errorf("the template of %q is %q, and that of it %q", url, template, again)
		}
		if len(template) == 0 || !utf8.Valid(template) || bytes.ContainsAny(template, "?#;%:=\\\" \n\x00") {
			t.Errorf("the template of %q is %q", url, template)
		}
		if len(token) >= leastToken && !braces && bytes.Contains(template, token) {
			t.Errorf("the template of %q shows %q", url, token)
		}
		for segment := range bytes.SplitSeq(bytes.TrimPrefix(template, []byte("/")), []byte("/")) {
			if len(segment) > maxSegment+len("("+anID+")") {
				t.Errorf("the template of %q has the segment %q", url, segment)
			}
		}
	})
}

func BenchmarkPath(b *testing.B) {
	b.ReportAllocs()
	url, token := []byte("/shop/v1/items/4711?q=a%20b"), []byte("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl")
	var dst []byte
	for b.Loop() {
		dst = Path(dst[:0], url, token)
	}
}
