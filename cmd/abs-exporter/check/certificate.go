package check

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// expiresSoon is when a certificate should be renewed: as the alert ABSCertificateExpiring has it.
const expiresSoon = 21 * 24 * time.Hour

func (i *inspection) certificate(_ context.Context, a *Answer) {
	u, err := url.Parse(i.target.URL)
	chain := i.first.call.Certificates
	switch {
	case err != nil || u.Scheme == "http":
		a.found("There is none: the URL begins with http://.")
	case len(chain) == 0:
		a.unknown("ABS showed none.")
	case i.first.call.Status == 0:
		host := u.Hostname()
		if name := i.target.TLS.ServerName; name != "" {
			host = name
		}
		refusedCertificate(a, chain, failure(i.first.err), host, i.now())
	default:
		how := "by the system's authorities"
		switch t := &i.target.TLS; {
		case len(t.Fingerprint) > 0 || t.FingerprintFile != "":
			how = "by its fingerprint"
		case t.CAFile != "":
			how = "by the authorities in " + t.CAFile
		case t.InsecureSkipVerify:
			a.fix("It is not checked at all (--abs.tls.insecure-skip-verify). A fingerprint is as easy, and safe.")
			a.set("abs.tls.fingerprint", fingerprint(chain[0]))
			return
		}
		trustedCertificate(a, chain[0], how, i.now())
	}
}

func trustedCertificate(a *Answer, c *x509.Certificate, how string, now time.Time) {
	a.found("Yes, %s. It is valid until %s.", how, c.NotAfter.UTC().Format(time.DateOnly))
	switch left := c.NotAfter.Sub(now); {
	case left < 0:
		a.fix("It has expired. The fingerprint is trusted all the same; other clients refuse it: renew it at ABS.")
	case left < expiresSoon:
		a.fix("It expires in %d days: renew it at ABS.", int(left.Hours()/24))
	}
}

// refusedCertificate says what would make a certificate trusted. host is the name that it must
// have.
func refusedCertificate(a *Answer, chain []*x509.Certificate, why, host string, now time.Time) {
	c := chain[0]
	self := bytes.Equal(c.RawSubject, c.RawIssuer)
	expired := now.After(c.NotAfter)
	if expired {
		why = "it has expired"
	}
	a.fix("No: %s.", why)
	by := strconv.QuoteToGraphic(commonName(chain[len(chain)-1].Issuer.CommonName))
	if self {
		by = "itself, as the one that ABS ships"
	}
	a.found("It is signed by %s, and valid until %s.", by, c.NotAfter.UTC().Format(time.DateOnly))
	switch names := slices.Concat(c.DNSNames, addresses(c)); {
	case expired:
		a.found("No CA file helps against that: it needs a new one. Until then its fingerprint would do.")
	case c.VerifyHostname(host) == nil && self:
		a.found("The certificate itself as CA file would do (--abs.tls.ca-file), and so would its fingerprint.")
	case c.VerifyHostname(host) == nil:
		a.found("The certificate of that authority as CA file would do (--abs.tls.ca-file), and so would the fingerprint.")
	case len(names) > 0:
		a.found("It names %s, not %s: with a CA file, --abs.tls.server-name is one of these. The fingerprint alone would do.",
			quoted(names), host)
	default:
		a.found("It names no host, so no CA file helps; its fingerprint would do.")
	}
	a.found("Compare the fingerprint with what the host of ABS itself says (keytool -list -v on its keystore), or you trust whoever answered.")
	a.set("abs.tls.fingerprint", fingerprint(c))
}

func commonName(name string) string {
	if name == "" {
		return "an authority without a name"
	}
	return name
}

func addresses(c *x509.Certificate) (texts []string) {
	for _, ip := range c.IPAddresses {
		texts = append(texts, ip.String())
	}
	return texts
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}
