package otlp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"
)

// authority signs certificates, and is a file of its own.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(t.TempDir(), name+".pem")}
	der, key := certificate(t, a, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	var err error
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.key = key
	writePEM(t, a.file, "CERTIFICATE", der)
	return a
}

// certificate is signed by a, or by itself where a has none yet.
func certificate(t *testing.T, a *authority, template *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

func writePEM(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// leaf is a pair of files, of a server on loopback or of a client.
func (a *authority) leaf(t *testing.T, name string) (certFile, keyFile string) {
	t.Helper()
	der, key := certificate(t, a, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(t.TempDir(), name+".pem"), filepath.Join(t.TempDir(), name+".key")
	writePEM(t, certFile, "CERTIFICATE", der)
	writePEM(t, keyFile, "PRIVATE KEY", private)
	return certFile, keyFile
}

// serverTLS demands a certificate of a client where clients is not nil.
func (a *authority) serverTLS(t *testing.T, clients *authority) *tls.Config {
	t.Helper()
	certFile, keyFile := a.leaf(t, "server")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if clients != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		config.ClientCAs.AddCert(clients.cert)
	}
	return config
}

// serveTLS gives the URL of a receiver by the protocol. It refuses whoever does not send the header.
func serveTLS(t *testing.T, protocol string, config *tls.Config) string {
	t.Helper()
	if protocol == ProtocolGRPC {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)), grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			if in, _ := metadata.FromIncomingContext(stream.Context()); len(in.Get("api-key")) != 1 {
				return errors.New("no header")
			}
			if err := stream.RecvMsg(&emptypb.Empty{}); err != nil {
				return err
			}
			return stream.SendMsg(&emptypb.Empty{})
		}))
		go func() { _ = server.Serve(l) }()
		t.Cleanup(server.Stop)
		return "https://" + l.Addr().String()
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.ProtoMajor != 2 || r.Header.Get("Api-Key") == "" {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	server.EnableHTTP2, server.TLS = true, config
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are to fail
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// A receiver that is lost without a word: its connection is not used for ever. A proxy that swallows stands for the network.
func TestLostReceiver(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 25 seconds of waiting")
	}
	t.Parallel()
	own := newAuthority(t, "own")
	server, err := url.Parse(serveTLS(t, ProtocolHTTP, own.serverTLS(t, nil)))
	if err != nil {
		t.Fatal(err)
	}
	p := newBlackhole(t, server.Host)
	c, err := Configure(Settings{Endpoint: "https://" + p.address, CAFile: own.file, Timeout: time.Second}, env(map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "Api-Key=k"}))
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSender(c.Metrics, serviceMetrics, "abs-exporter/1")
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	send := func() error {
		b, _ := request("")
		_, err := s.send(t.Context(), b)
		return err
	}
	if err := send(); err != nil {
		t.Fatal(err)
	}
	p.swallow() // only what is connected already
	begun := time.Now()
	for err = send(); err != nil && time.Since(begun) < time.Minute; err = send() {
		time.Sleep(time.Second)
	}
	if err != nil {
		t.Fatalf("after a minute: %v", err)
	}
	t.Logf("on another connection after %v", time.Since(begun).Round(time.Second))
}

// blackhole passes connections on until it swallows all that comes on those that it has.
type blackhole struct {
	address string
	mu      sync.Mutex
	lost    chan struct{} // of the connections since the last swallow
}

func newBlackhole(t *testing.T, to string) *blackhole {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &blackhole{address: l.Addr().String(), lost: make(chan struct{})}
	var all []net.Conn
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			all = append(all, in, out)
			p.mu.Lock()
			lost := p.lost
			p.mu.Unlock()
			pass := func(from, to net.Conn) {
				b := make([]byte, 32<<10)
				for {
					n, err := from.Read(b)
					if err != nil {
						_ = to.Close()
						return
					}
					select {
					case <-lost:
					default:
						_, _ = to.Write(b[:n])
					}
				}
			}
			go pass(in, out)
			go pass(out, in)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
		for _, c := range all {
			_ = c.Close()
		}
	})
	return p
}

func (p *blackhole) swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.lost)
	p.lost = make(chan struct{})
}

// The receiver's certificate is held against the CA file, and the client's is shown where one is demanded.
func TestTLS(t *testing.T) {
	own, other := newAuthority(t, "own"), newAuthority(t, "other")
	clients := newAuthority(t, "clients")
	certFile, keyFile := clients.leaf(t, "client")
	strangeCert, strangeKey := other.leaf(t, "stranger")
	for _, protocol := range []string{ProtocolHTTP, ProtocolGRPC} {
		open, closed := serveTLS(t, protocol, own.serverTLS(t, nil)), serveTLS(t, protocol, own.serverTLS(t, clients))
		for _, tc := range []struct {
			name     string
			endpoint string
			settings Settings
			want     string // in the error; empty: there is none
		}{
			{"CA file", open, Settings{CAFile: own.file}, ""},
			{"wrong CA", open, Settings{CAFile: other.file}, "certificate"},
			{"no CA", open, Settings{}, "certificate"},
			{"client certificate", closed, Settings{CAFile: own.file, CertFile: certFile, KeyFile: keyFile}, ""},
			{"no client certificate", closed, Settings{CAFile: own.file}, " "}, // the server hangs up, with words that may be lost on the way
			{"another's client certificate", closed, Settings{CAFile: own.file, CertFile: strangeCert, KeyFile: strangeKey}, " "},
		} {
			t.Run(protocol+", "+tc.name, func(t *testing.T) {
				tc.settings.Endpoint, tc.settings.Protocol = tc.endpoint, protocol
				c, err := Configure(tc.settings, env(map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "Api-Key=k"}))
				if err != nil {
					t.Fatal(err)
				}
				s, err := newSender(c.Metrics, serviceMetrics, "abs-exporter/1")
				if err != nil {
					t.Fatal(err)
				}
				defer s.close()
				for range 2 { // the second on the connection of the first
					b, _ := request("")
					_, err = s.send(t.Context(), b)
					var r *refusal
					switch {
					case tc.want == "" && err != nil:
						t.Error(err)
					case tc.want != "" && (!errors.As(err, &r) || !r.retry || !strings.Contains(r.text, tc.want)):
						t.Errorf("got %v, want an error with %q", err, tc.want)
					}
				}
			})
		}
	}
}
