package reports

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// FuzzDate compares dates with those of package time: what is read means what it says, in a zone
// without gaps to the millisecond, in one with gaps to the hour.
func FuzzDate(f *testing.F) {
	for _, seed := range []string{
		"Tue Feb 13 18:00:00:000 2018", "Fri Feb 29 23:59:59:999 2016", "x Feb 30 00:30:00 2018", "Sun Mar 25 02:30:00:000 2018",
		" a  Dec 1 1:2:3:4 0000", "Mon Jan 99999999999999999999 0:0:0 2018", "Mon anF 1 0:0:0 2018", "",
	} {
		f.Add([]byte(seed))
	}
	gaps, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got := parseDate(text, time.UTC)
		fields := strings.Fields(string(text))
		var want time.Time
		if len(fields) == 5 && !bytes.ContainsAny([]byte(fields[3]), ".,+-") {
			for _, layout := range []string{"Jan 2 15:4:5:000 2006", "Jan 2 15:4:5 2006"} {
				if at, err := time.Parse(layout, strings.Join(fields[1:], " ")); err == nil && fields[1] == at.Format("Jan") {
					want = at
				}
			}
		}
		if !want.IsZero() && !got.Equal(want) {
			t.Fatalf("%q is %v, want %v", text, got, want)
		}
		if got.IsZero() {
			return
		}
		if got.Format("Jan") != fields[1] || got.Location() != time.UTC {
			t.Fatalf("%q is %v", text, got)
		}
		there := parseDate(text, gaps)
		wall := time.Date(there.Year(), there.Month(), there.Day(), there.Hour(), there.Minute(), there.Second(), there.Nanosecond(), time.UTC)
		if d := wall.Sub(got); d != 0 && d != time.Hour {
			t.Fatalf("%q is %v in Berlin", text, there)
		}
	})
}
