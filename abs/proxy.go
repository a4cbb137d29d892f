package abs

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	promconfig "github.com/prometheus/common/config"
)

// Proxy is the forward proxy that requests go through. The zero value stands for the variables
// HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
type Proxy struct {
	// URL begins with http://, https://, socks5:// or socks5h://. It may have a user, and no password.
	URL string
	// PasswordFile holds the password of the user in URL; read for each request.
	PasswordFile string
	// NoProxy are the hosts that are requested directly, as NO_PROXY has them. Loopback is among
	// them, if there are any.
	NoProxy string
}

// check returns which field is wrong and why.
func (p *Proxy) check() (field, detail string) {
	u, err := url.Parse(p.URL)
	switch { // the URL is not repeated: it may hold a password
	case p.URL == "" && p.NoProxy != "":
		return "Proxy.NoProxy", "is there without the URL of a proxy; for a proxy from HTTPS_PROXY there is the variable NO_PROXY"
	case p.URL == "" && p.PasswordFile != "":
		return "Proxy.PasswordFile", "is there without the URL of a proxy"
	case p.URL == "":
		return "", ""
	case err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme):
		return "Proxy.URL", "is no URL of the form http://host:port; https, socks5 and socks5h are possible too"
	case strings.HasSuffix(u.Host, ":") || u.Port() != "" && !validPort(u.Port()):
		return "Proxy.URL", "has no port from 1 to 65535 after its colon"
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "Proxy.URL", "has a path, a query or a fragment; only host and port are wanted"
	}
	_, hasPassword := u.User.Password()
	switch {
	case hasPassword:
		return "Proxy.URL", "holds a password, which belongs into a file of its own"
	case p.PasswordFile != "" && u.User.Username() == "":
		return "Proxy.PasswordFile", "is there without a user, who is named in the proxy's URL: http://user@host:port"
	case p.PasswordFile == "":
		return "", ""
	}
	if _, err := p.password(); err != nil {
		return "Proxy.PasswordFile", err.Error()
	}
	return "", ""
}

func (p *Proxy) password() (string, error) {
	password, err := readSecret(p.PasswordFile, checkSecret)
	if err != nil {
		return "", &SecretError{"the password of the proxy", err}
	}
	return password, nil
}

// proxyPassword is the key of the password in the context of a request.
type proxyPassword struct{}

// choose returns what http.Transport.Proxy is.
func (p *Proxy) choose() func(*http.Request) (*url.URL, error) {
	if p.URL == "" {
		return http.ProxyFromEnvironment
	}
	config := promconfig.ProxyConfig{NoProxy: p.NoProxy}
	config.ProxyURL.URL, _ = url.Parse(p.URL) // check has parsed it
	choose := config.Proxy()
	if p.PasswordFile == "" {
		return choose
	}
	return func(r *http.Request) (*url.URL, error) {
		proxy, err := choose(r)
		password, ok := r.Context().Value(proxyPassword{}).(string)
		if proxy == nil || err != nil || !ok {
			return proxy, err
		}
		withPassword := *proxy // the proxy is shared
		withPassword.User = url.UserPassword(proxy.User.Username(), password)
		return &withPassword, nil
	}
}
