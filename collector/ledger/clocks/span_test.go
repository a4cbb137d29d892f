package clocks

import (
	"testing"
	"time"
)

func at(s string) time.Time {
	t, err := time.Parse("2006-01-02T15:04Z", s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestSlot(t *testing.T) {
	half, hour := 30*time.Minute, time.Hour
	for _, tt := range []struct {
		name, zone, at string
		length         time.Duration
		inclusive      bool
		from, to       string
	}{
		{"on the clock", "UTC", "2026-11-23T10:20Z", half, false, "2026-11-23T10:00Z", "2026-11-23T10:30Z"},
		{"its first minute", "UTC", "2026-11-23T10:30Z", half, false, "2026-11-23T10:30Z", "2026-11-23T11:00Z"},
		{"a zone half an hour off", "Asia/Kolkata", "2026-11-23T10:20Z", hour, false, "2026-11-23T10:00Z", "2026-11-23T11:00Z"},
		// Berlin skips 2:00 to 3:00 at 01:00Z: every instant has one wall-clock time.
		{"clocks go forward", "Europe/Berlin", "2026-03-29T00:45Z", half, false, "2026-03-29T00:30Z", "2026-03-29T01:00Z"},
		{"after the skipped hour", "Europe/Berlin", "2026-03-29T01:00Z", half, false, "2026-03-29T01:00Z", "2026-03-29T01:30Z"},
		// Berlin has 2:00 to 3:00 twice, from 00:00Z to 02:00Z.
		{"before the hour that comes twice", "Europe/Berlin", "2026-10-24T23:15Z", half, false, "2026-10-24T23:00Z", "2026-10-24T23:30Z"},
		{"into the hour that comes twice", "Europe/Berlin", "2026-10-24T23:45Z", half, false, "2026-10-24T23:30Z", "2026-10-25T02:00Z"},
		{"in its first pass", "Europe/Berlin", "2026-10-25T00:20Z", half, false, "2026-10-24T23:30Z", "2026-10-25T02:00Z"},
		{"in its second pass", "Europe/Berlin", "2026-10-25T01:50Z", half, false, "2026-10-24T23:30Z", "2026-10-25T02:00Z"},
		{"after it", "Europe/Berlin", "2026-10-25T02:00Z", half, false, "2026-10-25T02:00Z", "2026-10-25T02:30Z"},
		// 2:59 is what an inclusive ABS would be asked for, and occurs twice.
		{"inclusive: the minute before the end counts", "Europe/Berlin", "2026-10-25T01:50Z", half, true, "2026-10-24T23:30Z", "2026-10-25T02:30Z"},
		{"half an hour that comes twice", "Australia/Lord_Howe", "2026-04-04T15:10Z", half, false, "2026-04-04T14:00Z", "2026-04-04T15:30Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			location, err := time.LoadLocation(tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			got := Zone{location, tt.inclusive}.Slot(at(tt.at), tt.length)
			if !got.From.Equal(at(tt.from)) || !got.To.Equal(at(tt.to)) {
				t.Errorf("%v to %v, want %s to %s", got.From, got.To, tt.from, tt.to)
			}
		})
	}
}

// Slots cover a year without a gap and without an overlap, and none begins or ends at a
// wall-clock time that occurs twice.
func TestSlotsCoverTheYear(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "America/Santiago"} {
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		occurs := wallClock(location, at("2025-12-31T00:00Z"), at("2027-01-02T00:00Z"))
		for _, inclusive := range []bool{false, true} {
			z := Zone{location, inclusive}
			end := at("2027-01-01T00:00Z")
			last := z.Slot(at("2026-01-01T00:00Z"), 30*time.Minute)
			for last.To.Before(end) {
				next := z.Slot(last.To, 30*time.Minute)
				if !next.From.Equal(last.To) {
					t.Fatalf("%s: %v is followed by %v", zone, last, next)
				}
				if occurs[wall(next.From, location)] != 1 || occurs[wall(next.To, location)] != 1 {
					t.Fatalf("%s: %v has an end that occurs twice", zone, next)
				}
				if next.Minutes() > 180 {
					t.Fatalf("%s: %v is long", zone, next)
				}
				last = next
			}
		}
	}
}

// wallClock counts how often each minute of a zone's wall clock occurs.
func wallClock(location *time.Location, from, to time.Time) map[int64]int {
	occurs := map[int64]int{}
	for t := from; t.Before(to); t = t.Add(time.Minute) {
		occurs[wall(t, location)]++
	}
	return occurs
}

func wall(t time.Time, location *time.Location) int64 {
	_, offset := t.In(location).Zone()
	return t.Unix() + int64(offset)
}

func TestMiddle(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		from, to, at string
	}{
		{"2026-11-23T10:00Z", "2026-11-23T10:30Z", "2026-11-23T10:15Z"},
		{"2026-11-23T10:00Z", "2026-11-23T10:03Z", "2026-11-23T10:01Z"},
		{"2026-11-23T10:00Z", "2026-11-23T10:02Z", "2026-11-23T10:01Z"},
		{"2026-11-23T10:00Z", "2026-11-23T10:01Z", ""},
		{"2026-10-24T23:30Z", "2026-10-25T02:00Z", "2026-10-24T23:59Z"},
		{"2026-10-24T23:59Z", "2026-10-25T02:00Z", ""},
	} {
		got, ok := Zone{Location: berlin}.Middle(Span{at(tt.from), at(tt.to)})
		if ok != (tt.at != "") || ok && !got.Equal(at(tt.at)) {
			t.Errorf("%s to %s: %v, %v; want %s", tt.from, tt.to, got, ok, tt.at)
		}
	}
}
