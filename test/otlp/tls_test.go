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
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/abs-exporter/abs-exporter/metrics/otlp"
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

// serveTLS returns the URL of a receiver, and its count of requests. It refuses requests without
// the header.
func serveTLS(t *testing.T, protocol string, config *tls.Config) (string, *atomic.Int64) {
	t.Helper()
	var requests atomic.Int64
	if protocol == otlp.ProtocolGRPC {
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
			requests.Add(1)
			return stream.SendMsg(&emptypb.Empty{})
		}))
		go func() { _ = server.Serve(l) }()
		t.Cleanup(server.Stop)
		return "https://" + l.Addr().String(), &requests
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.ProtoMajor != 2 || r.Header.Get("Api-Key") == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		requests.Add(1)
	}))
	server.EnableHTTP2, server.TLS = true, config
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are to fail
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, &requests
}

// The receiver's certificate is verified by the CA file, and the client's is shown where one is
// demanded.
func TestTLS(t *testing.T) {
	own, other := newAuthority(t, "own"), newAuthority(t, "other")
	clients := newAuthority(t, "clients")
	certFile, keyFile := clients.leaf(t, "client")
	strangeCert, strangeKey := other.leaf(t, "stranger")
	for _, protocol := range []string{otlp.ProtocolHTTP, otlp.ProtocolGRPC} {
		for _, tc := range []struct {
			name          string
			closed        bool // to clients without a certificate
			ca, cert, key string
			want          string // in the log; empty: it is pushed
		}{
			{"CA file", false, own.file, "", "", ""},
			{"wrong CA", false, other.file, "", "", "certificate"},
			{"no CA", false, "", "", "", "certificate"},
			{"client certificate", true, own.file, certFile, keyFile, ""},
			{"no client certificate", true, own.file, "", "", "OTLP push failed"}, // the server hangs up, with words that may be lost on the way
			{"another's client certificate", true, own.file, strangeCert, strangeKey, "OTLP push failed"},
		} {
			t.Run(protocol+", "+tc.name, func(t *testing.T) {
				t.Parallel()
				demand := clients
				if !tc.closed {
					demand = nil
				}
				server, requests := serveTLS(t, protocol, own.serverTLS(t, demand))
				e := newExporter(t)
				e.push(t, map[string]string{
					"OTEL_EXPORTER_OTLP_ENDPOINT": server, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_CERTIFICATE": tc.ca,
					"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": tc.cert, "OTEL_EXPORTER_OTLP_CLIENT_KEY": tc.key,
					"OTEL_EXPORTER_OTLP_HEADERS": "Api-Key=k", "OTEL_LOGS_EXPORTER": "none",
				})
				e.publish(largeSnapshot(10, 1))
				if tc.want != "" {
					until(t, "it fails", func() bool { return strings.Contains(e.log.String(), tc.want) })
					if requests.Load() > 0 {
						t.Errorf("%d requests arrived", requests.Load())
					}
					return
				}
				until(t, "two pushes arrive", func() bool { return requests.Load() > 1 })
				if strings.Contains(e.log.String(), "level=WARN") {
					t.Errorf("the log says %s", e.log)
				}
			})
		}
	}
}
