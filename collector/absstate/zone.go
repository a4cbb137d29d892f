package absstate

import (
	"strings"
	"time"
	"unicode"
)

// SameZone reports whether ABS's word for its time zone is that of loc: utc, the name of a zone, a
// distance to UTC, or an abbreviation. known is false where that cannot be decided: "local" is the
// zone of ABS's machine, many abbreviations belong to several zones or to none that Go knows, and
// a word such as none or auto names no zone.
func SameZone(word string, loc *time.Location, now time.Time) (same, known bool) {
	if other := zoneOf(word); other != nil {
		for month := range 12 { // two zones may differ in the summer only
			at := now.AddDate(0, month, 0)
			if offset(at, other) != offset(at, loc) {
				return false, true
			}
		}
		return true, true
	}
	if seconds, ok := distance(word); ok {
		return seconds == offset(now, loc), true
	}
	return sameAbbreviation(word, loc, now)
}

// ZoneFlag returns the value of --abs.timezone that matches ABS's word.
func ZoneFlag(word string) string {
	if other := zoneOf(word); other != nil {
		return other.String()
	}
	return "the IANA name of the zone of ABS"
}

// zoneOf returns the zone that a word names; nil if it names none.
func zoneOf(word string) *time.Location {
	switch strings.ToLower(word) {
	case "utc", "gmt", "z", "zulu", "uct", "etc/utc", "etc/gmt":
		return time.UTC
	}
	if !strings.Contains(word, "/") { // such as EST, which Java calls New York, and Go a zone without summer time
		return nil
	}
	loc, err := time.LoadLocation(word)
	if err != nil {
		return nil
	}
	return loc
}

func offset(at time.Time, loc *time.Location) int {
	_, seconds := at.In(loc).Zone()
	return seconds
}

// distance parses a distance to UTC such as +05:30, GMT+5 or UTC-0330, in seconds.
func distance(word string) (seconds int, ok bool) {
	word = strings.TrimPrefix(strings.TrimPrefix(strings.ToUpper(word), "UTC"), "GMT")
	for _, layout := range []string{"-07:00", "-0700", "-07", "-7"} {
		text := word
		if layout == "-7" && len(word) == 2 { // Go has no layout for one digit
			layout, text = "-07", word[:1]+"0"+word[1:]
		}
		if t, err := time.Parse(layout, text); err == nil {
			return offset(t, t.Location()), true
		}
	}
	return 0, false
}

// abbreviations are those in use today. Only such a word can be of another zone than loc.
const abbreviations = " EST EDT CST CDT MST MDT PST PDT AKST AKDT HST AST ADT NST NDT WET WEST CET CEST EET EEST BST MSK" +
	" SAST WAT EAT IST PKT SGT HKT JST KST AWST ACST ACDT AEST AEDT NZST NZDT "

// sameAbbreviation compares an abbreviation with those of loc in a year. Zones without such
// abbreviations have numbers in their place, and cannot be compared.
func sameAbbreviation(word string, loc *time.Location, now time.Time) (same, known bool) {
	letters := func(s string) bool {
		return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsLetter(r) }) < 0
	}
	known = letters(word) && strings.Contains(abbreviations, " "+strings.ToUpper(word)+" ")
	for month := range 12 {
		name, _ := now.AddDate(0, month, 0).In(loc).Zone()
		if strings.EqualFold(name, word) {
			return true, true
		}
		known = known && letters(name)
	}
	return false, known
}
