package absstate

import (
	"testing"
	"time"
)

func TestSameZone(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct{ word, zone, want string }{
		{"utc", "UTC", "same"},
		{"UTC", "UTC", "same"},
		{"GMT", "UTC", "same"},
		{"Etc/UTC", "UTC", "same"},
		{"Z", "UTC", "same"},
		{"utc", "Europe/London", "other"}, // in the summer
		{"utc", "Africa/Abidjan", "same"},
		{"local", "UTC", "unknown"},
		{"local", "Asia/Kolkata", "unknown"},
		{"default", "UTC", "unknown"},
		{"Asia/Kolkata", "Asia/Kolkata", "same"},
		{"Asia/Calcutta", "Asia/Kolkata", "same"},
		{"Asia/Kolkata", "UTC", "other"},
		{"America/New_York", "America/Toronto", "same"},
		{"America/New_York", "America/Panama", "other"},
		{"IST", "Asia/Kolkata", "same"},
		{"IST", "UTC", "other"},
		{"PST", "America/Los_Angeles", "same"},
		{"PDT", "America/Los_Angeles", "same"},
		{"EST", "America/New_York", "same"},
		{"EST", "America/Los_Angeles", "other"},
		{"BRT", "America/Sao_Paulo", "unknown"}, // Go has -03 there
		{"+05:30", "Asia/Kolkata", "same"},
		{"GMT+05:30", "Asia/Kolkata", "same"},
		{"UTC+0530", "UTC", "other"},
		{"GMT+1", "Europe/Berlin", "same"},
		{"UTC-8", "America/Los_Angeles", "same"},
		{"UTC+00:00", "UTC", "same"},
		{"Mars/Olympus", "UTC", "unknown"},
		{"../../etc/passwd", "UTC", "unknown"},
		{"something else", "UTC", "unknown"},
		{"true", "UTC", "unknown"},
		{"none", "UTC", "unknown"},
		{"auto", "UTC", "unknown"},
		{"dmz", "UTC", "unknown"},
		{"east", "America/New_York", "unknown"},
		{"unset", "UTC", "unknown"},
		{"est edt", "UTC", "unknown"},
		{"jst", "UTC", "other"},
		{"CEST", "Europe/Berlin", "same"},
		{"WIB", "Asia/Jakarta", "same"}, // as Go has it
		{"eu-1", "UTC", "unknown"},
		{"", "UTC", "unknown"},
		{"+", "UTC", "unknown"},
	} {
		loc, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		got := "unknown"
		if same, known := SameZone(c.word, loc, now); known {
			got = map[bool]string{true: "same", false: "other"}[same]
		}
		if got != c.want {
			t.Errorf("%q and %s: %s, want %s", c.word, c.zone, got, c.want)
		}
	}
}
