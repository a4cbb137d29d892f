package abs

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCheckKey(t *testing.T) {
	for key, want := range map[string]string{
		"abs_ak":                  "",
		"with space ü":            "",
		"":                        "is empty",
		"a:b":                     "contains a colon, which ABS does not allow in keys",
		"a\nb":                    "contains a control character or a line break",
		"a\x7f":                   "contains a control character or a line break",
		" a":                      "begins or ends with a space",
		strings.Repeat("k", 4097): "is longer than 4096 bytes",
	} {
		got := ""
		if err := CheckKey(key); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%.20q: %q, want %q", key, got, want)
		}
	}
}

func TestFileKeys(t *testing.T) {
	dir := t.TempDir()
	ak, sk := filepath.Join(dir, "ak"), filepath.Join(dir, "sk")
	keys := FileKeys(ak, sk)
	if _, _, err := keys.Keys(); err == nil || !strings.Contains(err.Error(), "the access key cannot be read: open "+ak) {
		t.Errorf("%v", err)
	}
	write(t, ak, accessKey+"\n")
	if _, _, err := keys.Keys(); err == nil || !strings.Contains(err.Error(), "the secret key cannot be read: open "+sk) {
		t.Errorf("%v", err)
	}
	write(t, sk, secretKey+"\r\n")
	if a, s, err := keys.Keys(); a != accessKey || s != secretKey || err != nil {
		t.Errorf("%q %q %v", a, s, err)
	}
	for _, bad := range []string{"", "\n", canary + ":", canary + "\n\n", canary + "\x00", strings.Repeat(canary, 1000)} {
		write(t, sk, bad)
		_, _, err := keys.Keys()
		if err == nil || !strings.HasPrefix(err.Error(), "the secret key in "+sk+" ") || strings.Contains(err.Error(), canary) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	c := config("https://abs.example.com")
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if text := fmt.Sprintf(format, c.Keys) + fmt.Sprintf(format, c); strings.Contains(text, canary) {
			t.Errorf("%s: %s", format, text)
		}
	}
	for _, keys := range []Keys{StaticKeys("", secretKey), StaticKeys(accessKey, "cAnArY:")} {
		if _, _, err := keys.Keys(); err == nil || strings.Contains(err.Error(), canary) || !strings.HasPrefix(err.Error(), "the ") {
			t.Errorf("%v", err)
		}
	}
}

// A rotated key is sent with the next request; one that is gone stops the requests.
func TestKeyRotation(t *testing.T) {
	var got string
	requests := 0
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		got = r.Header.Get("x-abs-ak") + " " + r.Header.Get("x-abs-sk")
		_, _ = io.WriteString(w, `{`+named+`}`)
	})
	dir := t.TempDir()
	ak, sk := filepath.Join(dir, "ak"), filepath.Join(dir, "sk")
	write(t, ak, "one")
	write(t, sk, "two")
	c := trusting(t, server)
	c.Keys = FileKeys(ak, sk)
	client := mustClient(t, c)
	for _, want := range []string{"one two", "uno two", "uno due"} {
		a, s, _ := strings.Cut(want, " ")
		write(t, ak, a)
		write(t, sk, s)
		if _, err := client.Tokens(context.Background(), hour, noRows); err != nil || got != want {
			t.Errorf("%q %v, want %q", got, err, want)
		}
	}
	write(t, sk, "cAnArY:")
	_, err := client.Tokens(context.Background(), hour, noRows)
	want := "abs: oauthtokens: the secret key in " + sk + " contains a colon, which ABS does not allow in keys; the request was not sent"
	if ReasonOf(err) != ReasonAuth || err.Error() != want || requests != 3 {
		t.Errorf("%v after %d requests, want %s", err, requests, want)
	}
	checkQuiet(t, err)
}
