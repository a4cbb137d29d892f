package abs

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// pairABS accepts one pair of keys at a time, and notes all that it was asked with.
type pairABS struct {
	accepts string
	asked   []string
}

func (a *pairABS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	pair := r.Header.Get("x-abs-ak") + " " + r.Header.Get("x-abs-sk") + r.Header.Get("Authorization")
	a.asked = append(a.asked, pair)
	if pair != a.accepts {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_, _ = io.WriteString(w, `{`+named+`}`)
}

// During a rotation the keys change in the files and at ABS at different times. No request fails
// for that, and refused keys cost one more request in a minute.
func TestRotation(t *testing.T) {
	at := &pairABS{}
	server := serve(t, at.ServeHTTP)
	dir := t.TempDir()
	ak, sk := filepath.Join(dir, "ak"), filepath.Join(dir, "sk")
	now := time.Now()
	c := trusting(t, server)
	c.Keys, c.Now = FileKeys(ak, sk), func() time.Time { return now }
	var old bool
	c.Observe = func(call Call) { old = call.OldCredentials }
	write(t, ak, "a1")
	write(t, sk, "s1")
	client := mustClient(t, c)
	for _, step := range []struct {
		name, files, accepts string
		after                time.Duration
		asked                []string // in order
		old, fails           bool
	}{
		{"the first", "a1 s1", "a1 s1", 0, []string{"a1 s1"}, false, false},
		{"half a change", "a2 s1", "a1 s1", 0, []string{"a2 s1", "a1 s1"}, true, false},
		{"still half", "a2 s1", "a1 s1", time.Second, []string{"a1 s1"}, true, false},
		{"changed, not at ABS", "a2 s2", "a1 s1", time.Second, []string{"a2 s2", "a1 s1"}, true, false},
		{"not at ABS yet", "a2 s2", "a1 s1", time.Second, []string{"a1 s1"}, true, false},
		{"not at ABS for a minute", "a2 s2", "a1 s1", time.Minute, []string{"a2 s2", "a1 s1"}, true, false},
		{"at ABS", "a2 s2", "a2 s2", time.Second, []string{"a1 s1", "a2 s2"}, false, false},
		{"done", "a2 s2", "a2 s2", time.Second, []string{"a2 s2"}, false, false},
		{"files first again", "a3 s3", "a2 s2", time.Second, []string{"a3 s3", "a2 s2"}, true, false},
		{"a minute later", "a3 s3", "a3 s3", time.Minute, []string{"a3 s3"}, false, false},
		{"ABS has others", "a4 s4", "a5 s5", time.Hour, []string{"a4 s4", "a3 s3"}, false, true},
		{"the old are not tried again", "a4 s4", "a5 s5", time.Hour, []string{"a4 s4"}, false, true},
		{"right again", "a5 s5", "a5 s5", time.Second, []string{"a5 s5"}, false, false},
	} {
		a, s, _ := strings.Cut(step.files, " ")
		write(t, ak, a)
		write(t, sk, s)
		at.accepts, at.asked, now = step.accepts, nil, now.Add(step.after)
		_, err := client.Tokens(context.Background(), hour, noRows)
		if !slices.Equal(at.asked, step.asked) || old != step.old || (err != nil) != step.fails || err != nil && ReasonOf(err) != ReasonAuth {
			t.Errorf("%s: asked with %q, old %v, %v", step.name, at.asked, old, err)
		}
	}
}

// What a gateway asks for is rotated as keys are, and is in each request with the keys.
func TestGateway(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		write(t, name, text+"\n")
		return name
	}
	for name, test := range map[string]struct {
		gateway Gateway
		want    string
	}{
		"bearer": {Gateway{BearerTokenFile: file("secret", "one")}, "Bearer one"},
		"basic":  {Gateway{BasicAuthUser: "me", BasicAuthPasswordFile: file("secret", "one")}, "Basic " + base64.StdEncoding.EncodeToString([]byte("me:one"))},
		"header": {Gateway{HeaderFiles: map[string]string{"X-Gateway": file("secret", "one")}}, "one"},
	} {
		t.Run(name, func(t *testing.T) {
			file("secret", "one")
			sent := func(r *http.Request) string { return r.Header.Get("Authorization") + r.Header.Get("X-Gateway") }
			asked := 0
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				asked++
				if sent(r) != test.want || r.Header.Get("x-abs-ak") != accessKey {
					w.WriteHeader(http.StatusForbidden)
					return
				}
				_, _ = io.WriteString(w, `{`+named+`}`)
			})
			c := trusting(t, server)
			c.Gateway = test.gateway
			client := mustClient(t, c)
			ask := func() error {
				_, err := client.Tokens(context.Background(), hour, noRows)
				checkQuiet(t, err)
				return err
			}
			if err := ask(); err != nil {
				t.Fatal(err)
			}
			file("secret", "cAnArY")
			if err := ask(); err != nil || asked != 3 {
				t.Errorf("%v after %d requests, want 3", err, asked)
			}
			file("secret", "cAnArY\n\n")
			want := " in " + filepath.Join(dir, "secret") + " contains a control character or a line break; the request was not sent"
			if err := ask(); ReasonOf(err) != ReasonAuth || !strings.HasSuffix(err.Error(), want) || asked != 3 {
				t.Errorf("%v after %d requests, want …%s", err, asked, want)
			}
		})
	}
}

// A redirect carries keys nowhere.
func TestRedirects(t *testing.T) {
	asked := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) })
		_, err := mustClient(t, trusting(t, server)).Tokens(context.Background(), hour, noRows)
		if ReasonOf(err) != ReasonStatus || !strings.Contains(err.Error(), "redirects are not followed") || asked != 0 {
			t.Errorf("%d: %v, and the other host has %d requests", status, err, asked)
		}
	}
}
