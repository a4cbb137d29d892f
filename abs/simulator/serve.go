package simulator

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"time"
)

// SelfSigned makes a certificate as ABS ships one: signed by itself. It is good for a year, for the
// hosts (names or IP addresses). The fingerprint is the SHA-256 of the certificate in lower-case
// hex. The key is never written anywhere.
func SelfSigned(hosts ...string) (cert tls.Certificate, certPEM []byte, fingerprint string, err error) {
	return SelfSignedUntil(time.Now().AddDate(1, 0, 0), hosts...)
}

// SelfSignedUntil is SelfSigned for a certificate that ends at a time, which may be over.
func SelfSignedUntil(until time.Time, hosts ...string) (cert tls.Certificate, certPEM []byte, fingerprint string, err error) {
	fail := func(err error) (tls.Certificate, []byte, string, error) {
		return tls.Certificate{}, nil, "", fmt.Errorf("making a self-signed certificate: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	now := time.Now() // not Config.Now: clients compare the certificate with their own clock
	begin := now.Add(-time.Hour)
	if !begin.Before(until) {
		begin = until.AddDate(-1, 0, 0)
	}
	template := x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: "simulated ABS"},
		NotBefore:             begin,
		NotAfter:              until,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true, // so that it can stand in a CA file
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return fail(err)
	}
	sum := sha256.Sum256(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		hex.EncodeToString(sum[:]), nil
}

// Serve answers on the listener, with HTTPS (and HTTP/2) or, without a certificate, plain HTTP,
// until the context ends. Then it accepts no more calls, lets those under way end for five seconds,
// and returns nil.
func (s *Simulator) Serve(ctx context.Context, l net.Listener, cert tls.Certificate) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return base },
		// Failed handshakes are what clients under test do; they see them themselves.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	ended := make(chan error, 1)
	go func() {
		if len(cert.Certificate) == 0 {
			ended <- server.Serve(l)
			return
		}
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		ended <- server.ServeTLS(l, "", "")
	}()
	select {
	case err := <-ended:
		return fmt.Errorf("simulated ABS on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	grace, done := context.WithTimeout(base, 5*time.Second)
	defer done()
	if err := server.Shutdown(grace); err != nil {
		cancel() // wakes what hangs on purpose
		if err := server.Close(); err != nil {
			return fmt.Errorf("ending the simulated ABS: %w", err)
		}
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("simulated ABS on %s: %w", l.Addr(), err)
	}
	return nil
}
