package reports

import (
	"bytes"
	"time"
)

// parseDate reads a date as ABS's reports have it, "Tue Feb 13 18:00:00:000 2018", in the wall
// clock of loc, without allocating: an attack report may have one for each of 400,000 entries. The
// weekday is ignored: it is wrong in published reports. A date that cannot be parsed is the zero
// time, because nothing is counted by these dates.
func parseDate(text []byte, loc *time.Location) time.Time {
	var fields [5][]byte
	n := 0
	for field := range bytes.FieldsSeq(text) {
		if n == len(fields) {
			return time.Time{}
		}
		fields[n] = field
		n++
	}
	if n != len(fields) || len(fields[1]) != 3 {
		return time.Time{}
	}
	month := bytes.Index([]byte("JanFebMarAprMayJunJulAugSepOctNovDec"), fields[1])
	day, ok1 := parseDigits(fields[2])
	year, ok2 := parseDigits(fields[4])
	var clock [4]int // hour, minute, second, millisecond
	n = 0
	ok3 := true
	for part := range bytes.SplitSeq(fields[3], []byte(":")) {
		if n == len(clock) {
			return time.Time{}
		}
		value, ok := parseDigits(part)
		clock[n], ok3 = value, ok3 && ok
		n++
	}
	if month%3 != 0 || month < 0 || !ok1 || !ok2 || !ok3 || n < 3 || len(fields[4]) != 4 ||
		clock[0] > 23 || clock[1] > 59 || clock[2] > 59 || clock[3] > 999 {
		return time.Time{}
	}
	t := time.Date(year, time.Month(month/3+1), day, clock[0], clock[1], clock[2], clock[3]*int(time.Millisecond), loc)
	if t.Day() != day && t.Add(-time.Hour).Day() != day { // such as Feb 30
		return time.Time{}
	}
	return t
}

// parseDigits reads a number of at most four digits.
func parseDigits(text []byte) (n int, ok bool) {
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, len(text) > 0 && len(text) <= 4
}

// date reads a date of a report. A value that is not a string is ignored, as if it were absent.
func (r *reportReader) date(loc *time.Location) time.Time {
	if r.Peek() != '"' {
		r.Skip(1)
		return time.Time{}
	}
	return parseDate(r.Str(), loc)
}
