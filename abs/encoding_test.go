package abs

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The encoding of a response is decoded, or refused by name.
func TestEncodings(t *testing.T) {
	report := func(token string) string {
		return `{` + named + `,"details":[{"token":"` + token + `","total_requests":1}]}`
	}
	for _, c := range []struct {
		header, value, body string
		want                string // the token that is read, or the error
	}{
		{"Content-Type", "application/json", report("é"), "é"},
		{"Content-Type", "application/json;charset=UTF-8", report("é"), "é"},
		{"Content-Type", `application/json; charset="utf-8"`, report("é"), "é"},
		{"Content-Type", "application/json;charset=us-ascii", report("e"), "e"},
		{"Content-Type", "no type", report("é"), "é"},
		{"Content-Type", "application/json", "\ufeff" + report("é"), "é"},
		{"Content-Type", "application/json;charset=ISO-8859-1", report("\xe9\xff" + strings.Repeat("\xe9", 70_000)), "éÿ" + strings.Repeat("é", 70_000)},
		{"Content-Type", "application/json;charset=ISO-8859-1", report("a")[:50], "abs: oauthtokens: the body ends early (details[0].token, byte 50)"},
		{"Content-Type", "application/json;charset=UTF-16LE", report("a"), "abs: oauthtokens: the body is in utf-16le, not in UTF-8 (byte 0)"},
		{"Content-Type", "application/json;charset=windows-1252", report("a"), "abs: oauthtokens: the body is in windows-1252, not in UTF-8 (byte 0)"},
		{"Content-Type", "application/json;charset=cAnArY", report("a"), "abs: oauthtokens: the body is not in UTF-8 but in a character set that this program does not know (byte 0)"},
		{"Content-Encoding", "identity", report("a"), "a"},
		{"Content-Encoding", "br", report("a"), "abs: oauthtokens: the body is encoded as br, which was not asked for: a proxy must not encode it (byte 0)"},
		{"Content-Encoding", "Deflate", report("a"), "abs: oauthtokens: the body is encoded as deflate, which was not asked for: a proxy must not encode it (byte 0)"},
		{"Content-Encoding", "identity, zstd", report("a"), "abs: oauthtokens: the body is encoded as zstd, which was not asked for: a proxy must not encode it (byte 0)"},
		{"Content-Encoding", "cAnArY", report("a"), "abs: oauthtokens: the body has an encoding that was not asked for, and that this program does not know (byte 0)"},
	} {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(c.header, c.value)
			_, _ = io.WriteString(w, c.body)
		})
		got := ""
		_, err := mustClient(t, trusting(t, server)).Tokens(context.Background(), hour, func(r *Row) error {
			got = string(r.Token)
			return nil
		})
		if err != nil {
			got = err.Error()
			checkQuiet(t, err)
			if ReasonOf(err) != ReasonDecode {
				t.Errorf("%s: %s is %s", c.header, c.value, ReasonOf(err))
			}
		}
		if got != c.want {
			t.Errorf("%s: %s\n got %.200s\nwant %.200s", c.header, c.value, got, c.want)
		}
	}
}

// Editors put a byte order mark before texts.
func TestByteOrderMarksInFiles(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Abs-Ak") != accessKey || r.Header.Get("X-Abs-Sk") != secretKey {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = io.WriteString(w, emptyReport)
	})
	c := trusting(t, server)
	marked := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte("\ufeff"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca, err := os.ReadFile(c.TLS.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	c.TLS.CAFile = marked("ca.pem", string(ca))
	c.Keys = FileKeys(marked("access", accessKey+"\r\n"), marked("secret", secretKey))
	if _, err := mustClient(t, c).Tokens(context.Background(), hour, noRows); err != nil {
		t.Error(err)
	}
}
