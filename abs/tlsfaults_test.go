package abs

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// tlsFault is what a server does in place of a proper handshake, or after it.
type tlsFault struct {
	name string
	want string            // what the error says behind the place; "": the report is read
	do   func(c net.Conn)  // speaks for the server, or between it and the client; nil: over alone does
	over func(*tls.Config) // changes the server's configuration; nil: as it is
	conf func(*TLSConfig)  // changes the client's; nil: it trusts the server's authority
	keys bool              // the keys are sent, since only the answer is at fault
}

// record returns a TLS record.
func record(kind byte, payload string) string {
	return string([]byte{kind, 3, 3, byte(len(payload) >> 8), byte(len(payload))}) + payload
}

const (
	alertRecord     = 21
	handshakeRecord = 22
	dataRecord      = 23
)

// serverHello returns a record with the answer to a ClientHello: the version and the random bytes,
// which end with sentinel, the cipher suite, the compression and the extensions.
func serverHello(version uint16, sentinel string, suite uint16, compression byte, extensions string) string {
	body := binary.BigEndian.AppendUint16(nil, version)
	body = append(body, bytes.Repeat([]byte{7}, 32-len(sentinel))...)
	body = append(body, sentinel...)
	body = append(body, 0) // no session
	body = binary.BigEndian.AppendUint16(body, suite)
	body = append(body, compression)
	if extensions != "" {
		body = binary.BigEndian.AppendUint16(body, uint16(len(extensions)))
		body = append(body, extensions...)
	}
	return record(handshakeRecord, string([]byte{2, 0, byte(len(body) >> 8), byte(len(body))})+string(body))
}

// hello reads the ClientHello and calls then with the connection.
func hello(then func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		head := make([]byte, 5)
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		_, _ = io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint16(head[3:])))
		then(c)
	}
}

func answers(text string) func(net.Conn) {
	return hello(func(c net.Conn) { _, _ = io.WriteString(c, text) })
}

// floods answers with a text again and again until the client is gone.
func floods(text string) func(net.Conn) {
	return hello(func(c net.Conn) { (&wire{Conn: c}).endless(text) })
}

// between passes what client and real server send, changed by the two functions: nil passes
// everything. What they return nil for ends the connection.
func between(server *wireServer, fromClient, fromServer func(n int, record []byte) []byte) func(net.Conn) {
	return func(c net.Conn) {
		s, err := net.Dial("tcp", server.address)
		if err != nil {
			return
		}
		defer s.Close()
		go passRecords(s, c, fromClient)
		passRecords(c, s, fromServer)
	}
}

// passRecords passes on the records of one direction.
func passRecords(to, from net.Conn, change func(int, []byte) []byte) {
	defer to.Close()
	for n := 0; ; n++ {
		head := make([]byte, 5)
		if _, err := io.ReadFull(from, head); err != nil {
			return
		}
		whole := append(head, make([]byte, binary.BigEndian.Uint16(head[3:]))...)
		if _, err := io.ReadFull(from, whole[5:]); err != nil {
			return
		}
		if change != nil {
			if whole = change(n, whole); whole == nil {
				return
			}
		}
		if _, err := to.Write(whole); err != nil {
			return
		}
	}
}

// issued returns a certificate of an authority, or one that is its own, and its key.
func issued(t *testing.T, authority *tls.Certificate, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "abs"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	change(c)
	parent, signer := c, any(key)
	var chain [][]byte
	if authority != nil {
		parent, signer, chain = authority.Leaf, authority.PrivateKey, authority.Certificate
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: append([][]byte{der}, chain...), PrivateKey: key, Leaf: leaf}
}

// What is in ABS's place breaks TLS, downgrades it, or shows a certificate that is not ABS's: the
// keys are never sent, nothing passes for a report, and the error says what happened.
func TestTLSFaults(t *testing.T) {
	same := func(*x509.Certificate) {}
	authority := issued(t, nil, func(c *x509.Certificate) { c.IsCA = true })
	good := issued(t, &authority, same)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	write(t, ca, string(pemOf("CERTIFICATE", authority.Certificate[0])))
	server := serveWire(t, &tls.Config{Certificates: []tls.Certificate{good}})
	old := serveWire(t, &tls.Config{Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS12})
	faults := slices.Concat(helloFaults(), alertFaults(), middleFaults(server, old), certificateFaults(t, authority, good))
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			over := &tls.Config{Certificates: []tls.Certificate{good}}
			if f.over != nil {
				f.over(over)
			}
			s := serveWire(t, over)
			if f.do != nil {
				s = serveRaw(t, f.do)
			}
			f.try(t, s, ca)
		})
	}
	if len(faults) < 22 {
		t.Errorf("there are %d cases only", len(faults))
	}
	t.Logf("%d cases", len(faults))
}

// try makes a call of a client that trusts an authority, by its file.
func (f *tlsFault) try(t *testing.T, s *wireServer, ca string) {
	t.Helper()
	conf := config("https://" + s.address)
	conf.TLS.CAFile = ca
	if f.conf != nil {
		f.conf(&conf.TLS)
	}
	conf.ResponseCap = 100_000
	rows := 0
	began := time.Now()
	_, err := mustClient(t, conf).Tokens(context.Background(), hour, func(*Row) error { rows++; return nil })
	if took := time.Since(began); took > conf.Timeout {
		t.Errorf("it took %v", took)
	}
	checkQuiet(t, err)
	if f.want == "" {
		if err != nil || rows != 1 {
			t.Errorf("%v, %d rows", err, rows)
		}
		return
	}
	if ReasonOf(err) != ReasonConnection || !strings.HasPrefix(placeless(err), "abs: oauthtokens: "+f.want) {
		t.Errorf("%v, want %s", err, f.want)
	}
	if n := s.requests.Load(); n != 0 && !f.keys {
		t.Errorf("the server has read %d requests with the keys", n)
	}
}

// serveRaw starts a server that hands over each connection.
func serveRaw(t *testing.T, do func(net.Conn)) *wireServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(time.Minute))
				do(c)
			}()
		}
	}()
	return &wireServer{address: l.Addr().String()}
}

const (
	badTLS    = "what answers breaks the rules of TLS, or something on the way does"
	downgrade = "something between the exporter and ABS downgrades TLS"
	noKey     = "what answers does not have the key of the certificate that it shows"
	noTLS     = "ABS does not speak TLS on this port; is its URL meant to begin with http://?"
	noVersion = "ABS speaks no version of TLS from 1.2 on: "
	failed    = "the connection failed while ABS was asked"
	closed    = "ABS closed the connection without an answer"
	noSuite   = "ABS ended the TLS handshake: no cipher suite in common"
)

func helloFaults() []tlsFault {
	const (
		tls13 = "\x00\x2b\x00\x02\x03\x04"
		gcm   = tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
	)
	return []tlsFault{
		{name: "well", over: func(*tls.Config) {}},
		{name: "plain HTTP", do: answers("HTTP/1.1 400 Bad Request\r\n\r\ncAnArY"), want: noTLS},
		{name: "an SSH server", do: answers("SSH-2.0-cAnArY\r\n"), want: noTLS},
		{name: "zeros", do: floods("\x00"), want: noTLS},
		{name: "the end behind the hello", do: answers(""), want: closed},
		{name: "a reset", do: hello(func(c net.Conn) { (&wire{Conn: c}).reset() }), want: "the connection failed while ABS was asked: connection reset by peer"},
		{name: "half a record", do: answers(record(handshakeRecord, "xxxx")[:7]), want: closed},
		{name: "half a hello", do: answers(record(handshakeRecord, "\x02\x00\x00\x50\x03\x03xx")), want: closed},
		{name: "an empty record", do: answers(record(handshakeRecord, "")), want: badTLS},
		{name: "empty records without end", do: floods(record(handshakeRecord, "")), want: badTLS},
		{name: "a record of 64 kB", do: answers("\x16\x03\x03\xff\xff" + strings.Repeat("x", 70_000)), want: noTLS},
		{name: "a hello of 16 MB", do: floods(record(handshakeRecord, "\x02\xff\xff\xff"+strings.Repeat("x", 10_000))), want: badTLS},
		{name: "data before a hello", do: answers(record(dataRecord, whole(ok, wireReport))), want: noTLS},
		{name: "our own hello", do: func(c net.Conn) {
			b := make([]byte, 4096)
			n, _ := c.Read(b)
			_, _ = c.Write(b[:n])
		}, want: badTLS},
		{name: "SSL 3.0", do: answers(serverHello(0x0300, "", gcm, 0, "")), want: noVersion},
		{name: "TLS 1.0", do: answers(serverHello(tls.VersionTLS10, "", gcm, 0, "")), want: noVersion},
		{name: "TLS 1.1", do: answers(serverHello(tls.VersionTLS11, "", gcm, 0, "")), want: noVersion},
		{name: "a version of the future", do: answers(serverHello(0x0305, "", gcm, 0, "")), want: noVersion},
		{name: "TLS 1.3 in the old member", do: answers(serverHello(tls.VersionTLS13, "", tls.TLS_AES_128_GCM_SHA256, 0, "")), want: badTLS},
		{name: "TLS 1.2 with the mark of a downgrade", do: answers(serverHello(tls.VersionTLS12, "DOWNGRD\x01", gcm, 0, "")), want: downgrade},
		{name: "TLS 1.1 with the mark of a downgrade", do: answers(serverHello(tls.VersionTLS12, "DOWNGRD\x00", gcm, 0, "")), want: downgrade},
		{name: "no encryption", do: answers(serverHello(tls.VersionTLS12, "", 0, 0, "")), want: noSuite},
		{name: "RC4", do: answers(serverHello(tls.VersionTLS12, "", tls.TLS_RSA_WITH_RC4_128_SHA, 0, "")), want: noSuite},
		{name: "a cipher suite for export", do: answers(serverHello(tls.VersionTLS12, "", 3, 0, "")), want: noSuite},
		{name: "3DES", do: answers(serverHello(tls.VersionTLS12, "", tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, 0, "")), want: noSuite},
		{name: "a cipher suite of TLS 1.2 in TLS 1.3", do: answers(serverHello(tls.VersionTLS12, "", gcm, 0, tls13)), want: badTLS},
		{name: "compression", do: answers(serverHello(tls.VersionTLS12, "", gcm, 1, "")), want: badTLS},
		{name: "TLS 1.3 without a key", do: answers(serverHello(tls.VersionTLS12, "", tls.TLS_AES_128_GCM_SHA256, 0, tls13)), want: badTLS},
		{name: "HTTP/2, which was not offered", do: answers(serverHello(tls.VersionTLS12, "", gcm, 0, "\x00\x10\x00\x05\x00\x03\x02h2")), want: badTLS},
		{name: "an extension that was not offered", do: answers(serverHello(tls.VersionTLS12, "", gcm, 0, "\xfa\xfa\x00\x01x")), want: closed},
		{name: "extensions longer than the hello", do: answers(serverHello(tls.VersionTLS12, "", gcm, 0, "\x00\x10\xff\xff")), want: badTLS},
	}
}

func alertFaults() (all []tlsFault) {
	for code, want := range map[byte]string{
		0: closed, 10: "ABS ended the TLS handshake: unexpected message", 20: "ABS ended the TLS handshake: bad record MAC", 22: "ABS ended the TLS handshake: record overflow",
		40: noSuite, 42: "ABS ended the TLS handshake: bad certificate", 47: "ABS ended the TLS handshake: illegal parameter", 48: "ABS ended the TLS handshake: unknown certificate authority",
		49: "ABS ended the TLS handshake: access denied", 70: noVersion, 71: "ABS ended the TLS handshake: insufficient security level", 80: "ABS ended the TLS handshake: internal error",
		86: "ABS ended the TLS handshake: inappropriate fallback", 112: "ABS ended the TLS handshake: unrecognized name", 116: "ABS ended the TLS handshake: certificate required",
		120: "ABS ended the TLS handshake: no application protocol", 255: "ABS ended the TLS handshake: alert(255)",
	} {
		all = append(all, tlsFault{name: fmt.Sprintf("alert %d", code), do: answers(record(alertRecord, string([]byte{2, code}))), want: want})
	}
	return append(all,
		tlsFault{name: "an alert of no level", do: answers(record(alertRecord, "\x07\x28")), want: badTLS},
		tlsFault{name: "an alert of one byte", do: answers(record(alertRecord, "\x02")), want: badTLS},
		tlsFault{name: "warnings without end", do: floods(record(alertRecord, "\x01\x70")), want: badTLS},
	)
}

// middleFaults returns what somebody between client and server does.
func middleFaults(server, old *wireServer) []tlsFault {
	flip := func(at int) func(int, []byte) []byte {
		return func(n int, r []byte) []byte {
			if n == at {
				r[len(r)-1] ^= 1
			}
			return r
		}
	}
	// lastData is the first record of data behind the handshake of TLS 1.2: the answer.
	data := func(change func([]byte) []byte) func(int, []byte) []byte {
		return func(_ int, r []byte) []byte {
			if r[0] == dataRecord {
				return change(r)
			}
			return r
		}
	}
	return []tlsFault{
		{name: "someone who only passes on", do: between(server, nil, nil)},
		{name: "someone who cuts records into bytes", do: between(server, nil, func(_ int, r []byte) []byte { return cutRecord(r) })},
		{name: "someone who strikes TLS 1.3 from the offer", do: between(server, func(n int, r []byte) []byte {
			if n == 0 {
				return bytes.Replace(r, []byte{0, 0x2b, 0, 5, 4, 3, 4, 3, 3}, []byte{0, 0x2b, 0, 5, 4, 3, 3, 3, 3}, 1)
			}
			return r
		}, nil), want: downgrade},
		{name: "a wrong bit in the server's hello", do: between(server, nil, flip(0)), want: badTLS},
		{name: "a wrong bit in the certificate", do: between(server, nil, flip(2)), want: badTLS},
		{name: "a wrong bit in the client's hello", do: between(server, flip(0), nil), want: badTLS},
		{name: "a wrong bit in the answer", do: between(old, nil, data(func(r []byte) []byte { r[len(r)-1] ^= 1; return r })), want: badTLS, keys: true},
		{name: "an answer that comes twice", do: between(old, nil, data(func(r []byte) []byte { return append(r, r...) }))},
		{name: "an answer that is cut off", do: between(old, nil, data(func([]byte) []byte { return nil })), want: closed, keys: true},
		{name: "an answer in the clear", do: between(old, nil, data(func([]byte) []byte { return []byte(record(dataRecord, whole(ok, wireReport))) })), want: badTLS, keys: true},
		{name: "plain text behind the handshake", do: between(old, nil, data(func([]byte) []byte { return []byte(whole(ok, wireReport)) })), want: noTLS, keys: true},
	}
}

// cutRecord returns a handshake record as records of a byte each, and any other as it is.
func cutRecord(r []byte) (all []byte) {
	if r[0] != handshakeRecord {
		return r
	}
	for _, b := range r[5:] {
		all = append(all, record(handshakeRecord, string([]byte{b}))...)
	}
	return all
}

func certificateFaults(t *testing.T, authority, good tls.Certificate) []tlsFault {
	t.Helper()
	sum := sha256.Sum256(good.Certificate[0])
	pinned := func(c *TLSConfig) { c.CAFile, c.Fingerprint = "", []string{hex.EncodeToString(sum[:])} }
	shows := func(c tls.Certificate) func(*tls.Config) {
		return func(config *tls.Config) { config.Certificates = []tls.Certificate{c} }
	}
	with := func(change func(*x509.Certificate)) func(*tls.Config) { return shows(issued(t, &authority, change)) }
	stolen := issued(t, nil, func(*x509.Certificate) {})
	stolen.Certificate, stolen.Leaf = good.Certificate, good.Leaf // the certificate, but not its key
	own := issued(t, nil, func(*x509.Certificate) {})
	second := own
	second.Certificate = append([][]byte{own.Certificate[0]}, good.Certificate...)
	noCA := issued(t, &good, func(*x509.Certificate) {})
	long := own
	for range 200 {
		long.Certificate = append(long.Certificate, own.Certificate[0])
	}
	const unknown, invalid = "the certificate of ABS is signed by an unknown authority", "the certificate of ABS is not valid: "
	const otherPin = "the certificate of ABS does not have the fingerprint that is configured"
	return []tlsFault{
		{name: "the pinned certificate", conf: pinned},
		{name: "a certificate without its key", over: shows(stolen), want: noKey},
		{name: "the pinned certificate without its key", over: shows(stolen), conf: pinned, want: noKey},
		{name: "the pinned certificate without its key, TLS 1.2", over: func(c *tls.Config) { shows(stolen)(c); c.MaxVersion = tls.VersionTLS12 }, conf: pinned, want: noKey},
		{name: "the pinned certificate behind another", over: shows(second), conf: pinned, want: otherPin},
		{name: "another certificate of the same authority, pinned", over: with(func(*x509.Certificate) {}), conf: pinned, want: otherPin},
		{name: "an authority of its own", over: shows(own), want: unknown},
		{name: "a chain of 200 certificates", over: shows(long), want: unknown},
		{name: "signed by what is no authority", over: shows(noCA), want: unknown},
		{name: "not valid yet", over: with(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) }), want: invalid},
		{name: "not valid any more", over: with(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-30 * time.Minute) }), want: invalid},
		{name: "for clients only", over: with(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), want: invalid},
		{name: "for another address", over: with(func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 2)} }), want: "the certificate of ABS is for another host"},
		{name: "for the address as a name", over: with(func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"127.0.0.1"} }), want: "the certificate of ABS is for another host"},
		{name: "for the address as a common name", over: with(func(c *x509.Certificate) { c.IPAddresses, c.Subject.CommonName = nil, "127.0.0.1" }), want: "the certificate of ABS names no host"},
		{name: "with a critical extension that nobody knows", over: with(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte("cAnArY")}}
		}), want: "the certificate of ABS is not trusted"},
		{name: "with names of 50 kB", over: with(func(c *x509.Certificate) { c.Subject.CommonName = strings.Repeat("cAnArY", 8000) })},
	}
}
