package abs

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	promconfig "github.com/prometheus/common/config"
)

// Gateway is what a gateway in front of ABS asks for, beside ABS's keys. Files are read for each
// request.
type Gateway struct {
	HeaderFiles           map[string]string // files that hold the value of a header, by its name
	BasicAuthUser         string
	BasicAuthPasswordFile string
	BearerTokenFile       string
}

// SecretError says that a file with a secret cannot be used. It names the file, and never the
// secret.
type SecretError struct {
	What string // such as "the bearer token"
	Err  error
}

// Error names the secret and its file.
func (e *SecretError) Error() string { return e.What + " " + e.Err.Error() }

// Unwrap returns why the file cannot be used.
func (e *SecretError) Unwrap() error { return e.Err }

var headerName = regexp.MustCompile(`^[!#$%&'*+.^_|~0-9A-Za-z-]+$`)

// ownHeader reports whether a header is set by the client, or changes how a request is sent. Those
// of ABS's keys begin with X-Abs-.
func ownHeader(name string) bool {
	name = http.CanonicalHeaderKey(name)
	_, reserved := promconfig.ReservedHeaders[name]
	own := []string{"Accept", "Expect", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}
	return reserved || slices.Contains(own, name) || strings.HasPrefix(name, "X-Abs-")
}

// check returns which field is wrong and why.
func (g *Gateway) check() (field, detail string) {
	switch {
	case g.BasicAuthUser != "" && g.BasicAuthPasswordFile == "":
		return "Gateway.BasicAuthPasswordFile", "is missing: basic auth takes a user and a file with the password"
	case g.BasicAuthUser == "" && g.BasicAuthPasswordFile != "":
		return "Gateway.BasicAuthUser", "is missing: basic auth takes a user and a file with the password"
	case strings.ContainsFunc(g.BasicAuthUser, func(c rune) bool { return c == ':' || c < ' ' || c == 0x7f }):
		return "Gateway.BasicAuthUser", "contains a colon or a control character, which basic auth does not allow"
	case g.BearerTokenFile != "" && g.BasicAuthUser != "":
		return "Gateway.BearerTokenFile", "cannot be used together with basic auth: both are the header Authorization"
	}
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(g.HeaderFiles)) {
		key := http.CanonicalHeaderKey(name)
		switch {
		case !headerName.MatchString(name):
			return "Gateway.HeaderFiles", fmt.Sprintf("%q is no name of a header", name)
		case key == "Authorization":
			return "Gateway.HeaderFiles", "the header Authorization has settings of its own: basic auth, or a bearer token"
		case ownHeader(name):
			return "Gateway.HeaderFiles", fmt.Sprintf("the header %s is set by the exporter itself", key)
		case seen[key]:
			return "Gateway.HeaderFiles", fmt.Sprintf("the header %s is named twice", key)
		case g.HeaderFiles[name] == "":
			return "Gateway.HeaderFiles", fmt.Sprintf("the header %s has no file", key)
		}
		seen[key] = true
	}
	if _, err := g.headers(); err != nil {
		return g.fieldOf(err), err.Error()
	}
	return "", ""
}

const (
	basicAuthPassword = "the password of basic auth"
	bearerToken       = "the bearer token"
)

func (g *Gateway) fieldOf(err error) string {
	var wrong *SecretError
	switch {
	case !errors.As(err, &wrong):
	case wrong.What == basicAuthPassword:
		return "Gateway.BasicAuthPasswordFile"
	case wrong.What == bearerToken:
		return "Gateway.BearerTokenFile"
	}
	return "Gateway.HeaderFiles"
}

// headers reads the files. Its error is a *SecretError.
func (g *Gateway) headers() (http.Header, error) {
	h := http.Header{}
	for name, file := range g.HeaderFiles {
		value, err := readSecret(file, checkSecret)
		if err != nil {
			return nil, &SecretError{"the header " + http.CanonicalHeaderKey(name), err}
		}
		h.Set(name, value)
	}
	if g.BasicAuthUser != "" {
		password, err := readSecret(g.BasicAuthPasswordFile, checkSecret)
		if err != nil {
			return nil, &SecretError{basicAuthPassword, err}
		}
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(g.BasicAuthUser+":"+password)))
	}
	if g.BearerTokenFile != "" {
		token, err := readSecret(g.BearerTokenFile, checkSecret)
		if err != nil {
			return nil, &SecretError{bearerToken, err}
		}
		h.Set("Authorization", "Bearer "+token)
	}
	return h, nil
}

// credentials are all secrets of a request: the headers of ABS's keys and of the gateway, and the
// password of the proxy.
type credentials struct {
	headers       http.Header
	proxyPassword string
}

// credentials reads the files.
func (c *Client) credentials() (*credentials, error) {
	access, secret, err := c.config.Keys.Keys()
	if err != nil {
		return nil, err
	}
	h, err := c.config.Gateway.headers()
	if err != nil {
		return nil, err
	}
	accessName, secretName := c.config.User.headers()
	h.Set(accessName, access)
	h.Set(secretName, secret)
	all := &credentials{headers: h}
	if c.config.Proxy.PasswordFile != "" {
		if all.proxyPassword, err = c.config.Proxy.password(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// refusedFor is how long credentials that were refused while those before them were accepted are
// not sent first: ABS and the files change at different times, and a refused request is one more.
const refusedFor = time.Minute

// rotation chooses between the credentials in the files and those that were accepted last. Its zero
// value knows of none.
type rotation struct {
	mu                sync.Mutex
	accepted, refused *credentials // refused were in the files, while the accepted were no longer
	refusedAt         time.Time
}

// order returns which credentials are sent first, and which if those are refused; nil: no others.
func (r *rotation) order(present *credentials, now time.Time) (first, second *credentials) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.accepted == nil || sameCredentials(r.accepted, present):
		return present, nil
	case sameCredentials(r.refused, present) && now.Sub(r.refusedAt).Abs() < refusedFor:
		return r.accepted, present
	}
	return present, r.accepted
}

// accept records credentials that were accepted.
func (r *rotation) accept(sent *credentials) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.accepted = sent
}

// refuse records credentials that were refused. They are not sent again, unless they are in the
// files.
func (r *rotation) refuse(sent *credentials, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if sameCredentials(r.accepted, sent) {
		r.accepted = nil
		return
	}
	r.refused, r.refusedAt = sent, now
}

func sameCredentials(a, b *credentials) bool { return reflect.DeepEqual(a, b) }
