package check_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
)

// forms returns the ways in which a value could be written.
func forms(value string) []string {
	var escaped strings.Builder
	for _, r := range value {
		fmt.Fprintf(&escaped, `\u%04x`, r)
	}
	quoted, _ := json.Marshal(value)
	all := []string{
		value, url.QueryEscape(value), url.PathEscape(value), hex.EncodeToString([]byte(value)),
		strings.Trim(string(quoted), `"`), escaped.String(), strings.ReplaceAll(value, "/", `\/`),
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 { // wherever it stands in what is encoded
			text := encoding.EncodeToString([]byte(strings.Repeat("x", before) + value))
			if first, last := []int{0, 2, 3}[before], len(text)-2; first < last {
				all = append(all, text[first:last])
			}
		}
	}
	return all
}

// search returns the values that a text has in any form.
func search(text string, values []string) (found []string) {
	lower := strings.ToLower(text)
	for _, value := range values {
		for _, form := range forms(value) {
			if strings.Contains(lower, strings.ToLower(form)) {
				found = append(found, value+" as "+form)
			}
		}
	}
	return found
}

// canaries are all values of a variant that no bundle may have.
func (s *started) canaries() []string {
	all := []string{
		canaryToken, canaryIP, canaryDevice, canaryURL, canaryAttack, "canary-target", "canary-proxy-password", "canary",
		accessKey, secretKey, restrictedAccessKey, restrictedSecretKey, s.host, proxyAddress, "abs.example.com", "127.0.0.1", s.dir, "z9q7",
	}
	truth := s.sim.Truth(begin.AddDate(0, 0, -2), begin)
	for token, totals := range truth.ByToken {
		all = append(all, token)
		for ip := range totals.ByIP {
			all = append(all, ip)
		}
	}
	for device := range truth.ByDevice {
		if len(device) > 10 {
			all = append(all, device)
		}
	}
	return append(all, apis...)
}

// bundleHasNoValues checks report.json.
func (s *started) bundleHasNoValues(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("report.json")
	if err != nil {
		t.Fatal(err)
	}
	if found := search(string(text), s.canaries()); len(found) > 0 {
		t.Errorf("the bundle has %q:\n%s", found, text)
	}
	if info, err := os.Stat("report.json"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the bundle has the mode %v, %v", info.Mode(), err)
	}
}

// The search finds a value in each of the forms, in the middle of other text.
func TestSearchFindsCanaries(t *testing.T) {
	value := canaryURL
	for _, text := range []string{
		value, strings.ToUpper(value), url.QueryEscape("a " + value + " b"), hex.EncodeToString([]byte("a" + value)),
		base64.StdEncoding.EncodeToString([]byte("a" + value)), base64.URLEncoding.EncodeToString([]byte("ab" + value + "c")),
		base64.StdEncoding.EncodeToString([]byte(value + "cd")),
	} {
		if len(search("before "+text+" after", []string{value})) == 0 {
			t.Errorf("%q is not found", text)
		}
	}
	if found := search("nothing of the kind", []string{value}); len(found) > 0 {
		t.Errorf("found %q", found)
	}
}

// The bundle as a maintainer gets it.
func TestBundle(t *testing.T) {
	golden, err := filepath.Abs(filepath.Join("testdata", "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	v := variant{}
	s := v.start(t)
	if _, err := s.run(t, "--report=report.json"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("report.json")
	if err != nil {
		t.Fatal(err)
	}
	equalsGolden(t, golden, string(got))

	// What ABS sent had the values that TestVariants looks for.
	var answers strings.Builder
	s.sent.Range(func(_, body any) bool { answers.WriteString(body.(string)); return true })
	for _, value := range slices.Concat([]string{canaryToken, canaryIP, canaryDevice, canaryURL, canaryAttack}, apis) {
		if len(search(answers.String(), []string{value})) == 0 {
			t.Errorf("ABS never sent %q: a search for it proves nothing", value)
		}
	}

	// It is there now, and stays as it is.
	_, err = config.Parse(append(s.args[:len(s.args):len(s.args)], "--report=report.json"), begin, io.Discard)
	if usage := (*config.UsageError)(nil); !errors.As(err, &usage) || err.Error() != "--report: report.json exists, and is not overwritten" {
		t.Errorf("a second bundle of the same name: %v", err)
	}
}

// An ABS that answers anything: 40 requests at most, and no value in a bundle.
func TestAnyAnswers(t *testing.T) {
	seeds := 20
	if testing.Short() {
		seeds = 5
	}
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 1))
		broken := rng.Float64()
		v := variant{handler: func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if n := rng.IntN(12); rng.Float64() < broken {
					odd(w, r, n)
					return
				}
				h.ServeHTTP(w, r)
			})
		}}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := v.start(t)
			out, _ := s.run(t, "--report=report.json")
			s.sentFew(t)
			s.bundleHasNoValues(t)
			if found := search(out, []string{canaryToken, canaryIP, canaryURL, accessKey, secretKey}); len(found) > 0 {
				t.Errorf("the output has %q:\n%s", found, out)
			}
		})
	}
}

// odd answers with what no page describes, and echoes what it was asked.
func odd(w http.ResponseWriter, r *http.Request, n int) {
	w.Header().Set("X-Echo", canaryToken)
	w.Header().Set("Date", begin.Format(http.TimeFormat)) // not the machine's: the same answers on any day
	write := func(text string) { _, _ = io.WriteString(w, text) }
	switch n {
	case 0, 1, 2, 3:
		w.WriteHeader([]int{400, 404, 500, 503}[n])
		write(`{"message": "` + canaryToken + r.URL.RawQuery + `", "` + canaryURL + `": {"` + canaryIP + `": ["` + accessKey + `", 1, null]}}`)
	case 4:
		write(`{"name": "oauth_token_metrics", "summary": {"tokens": 0, "total_requests": 0}, "details": [], "` + canaryToken + `": "` + canaryIP + `"}`)
	case 5:
		write(`{"name": "` + canaryToken + `"}`)
	case 6:
		write("<html>" + canaryToken + "</html>")
	case 7:
		w.Header().Set("Location", "https://abs.example.com/"+canaryToken)
		w.WriteHeader(http.StatusFound)
	case 8:
		write(`[{"access_tokens": {"` + canaryToken + `": "Tue Feb 13 18:00:00:000 2018"}, "` + apis[0] + `": true}]`)
	case 9:
		write(`{"name": "api_admin", "apis": {"` + apis[1] + `": {"api_name": "` + apis[1] + `"}}, "date": "` + canaryURL + `"}`)
	case 10:
		w.Header().Set("Date", begin.Add(-30*time.Hour).Format(http.TimeFormat))
		write(`{"name": "oauth_token_metrics", "details": [{"token": "` + canaryToken + `", "total_requests": 7}`)
	case 11:
		panic(http.ErrAbortHandler)
	}
}
