package metrics

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func mustSeries(f *Family, values ...string) *Series { return NewSeries(f, time.Time{}, values...) }

func TestSeriesKeepsItsArguments(t *testing.T) {
	at := time.Date(2026, 11, 20, 12, 0, 0, 123_456_789, time.FixedZone("", 3600))
	s := NewSeries(TokenMethodRequests, at, "shop", "0123456789abcdef", "GET")
	if s.Family() != TokenMethodRequests {
		t.Errorf("family %v", s.Family())
	}
	if want := at.Truncate(time.Millisecond); !s.Created().Equal(want) || s.Created().Location() != time.UTC {
		t.Errorf("created %v, want %v in UTC", s.Created(), want)
	}
	if want := []string{"shop", "0123456789abcdef", "GET"}; !slices.Equal(values(s), want) {
		t.Errorf("values %q", values(s))
	}
	if want := `abs_token_method_requests_total{target="shop",token="0123456789abcdef",method="GET"}`; s.String() != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	if !mustSeries(Requests, "shop").Created().IsZero() {
		t.Error("a series made without a time has one")
	}
	for name, value := range s.Labels() {
		if name != "target" || value != "shop" {
			t.Errorf("first label %s=%q", name, value)
		}
		break // stopping early must be possible
	}
}

// Values that contain separators still make different series.
func TestSeriesDoNotRunTogether(t *testing.T) {
	values := nasty()
	seen := map[string][2]string{}
	for _, a := range values {
		for _, b := range values {
			a, b := strings.ToValidUTF8(a, "\uFFFD"), strings.ToValidUTF8(b, "\uFFFD")
			key := mustSeries(TokenAPIRequests, "shop", a, b).String()
			if other, ok := seen[key]; ok && other != [2]string{a, b} {
				t.Errorf("%q and %q make the same series %s", other, [2]string{a, b}, key)
			}
			seen[key] = [2]string{a, b}
		}
	}
}

func TestNewSeriesPanicsOnMistakes(t *testing.T) {
	for name, tt := range map[string]struct {
		family *Family
		values []string
		want   string
	}{
		"too few values":  {TokenRequests, []string{"shop"}, "metrics: abs_token_requests_total has 2 labels, got 1 values"},
		"too many values": {Requests, []string{"shop", "x"}, "metrics: abs_requests_total has 1 labels, got 2 values"},
		"health":          {Up, []string{"shop"}, "metrics: abs_up is served by the registry, not by snapshots"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if got := recover(); got != tt.want {
					t.Errorf("panic %v, want %q", got, tt.want)
				}
			}()
			mustSeries(tt.family, tt.values...)
		})
	}
}
