package admin

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/jsonscan"
)

// The values of the admin report as ABS writes them: numbers as texts ("24", "62G", "28%"), dates
// with a zone, "n/a". Each function returns nil, or a zero value, for what it does not understand.

// dateLayout is that of Java's Date.toString.
const dateLayout = "Mon Jan _2 15:04:05 MST 2006"

// parseDate reads a date with its zone, milliseconds or seconds since 1970, or a date as the other
// reports have it. An abbreviation that loc does not use does not determine the offset from UTC;
// such a date is read in loc.
func parseDate(text string, loc *time.Location) time.Time {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		switch {
		case n >= 1e11 && n < 1e14:
			return time.UnixMilli(n)
		case n >= 1e8 && n < 1e11:
			return time.Unix(n, 0)
		}
		return time.Time{}
	}
	t, err := time.ParseInLocation(dateLayout, text, loc)
	if err != nil {
		return parseDateOfReports(text, loc)
	}
	if name, offset := t.Zone(); offset == 0 && name != "UTC" && name != "GMT" && t.Location() != loc {
		t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, loc)
	}
	return t
}

// parseDateOfReports reads a date as the reports about a window have it, "Tue Feb 13 18:00:00:000
// 2018", without its milliseconds.
func parseDateOfReports(text string, loc *time.Location) time.Time {
	if i := strings.LastIndexByte(text, ':'); i >= 0 && strings.Count(text, ":") == 3 {
		if clock, year, ok := strings.Cut(text[i:], " "); ok && len(clock) == len(":000") {
			text = text[:i] + " " + year
		}
	}
	t, err := time.ParseInLocation("Mon Jan _2 15:04:05 2006", text, loc)
	if err != nil {
		return time.Time{}
	}
	return t
}

// parseDuration reads such as "1 hour" or "2 days 3 hours"; 0 for anything else, as "n/a".
func parseDuration(text string) time.Duration {
	units := map[string]time.Duration{
		"second": time.Second, "minute": time.Minute, "min": time.Minute, "hour": time.Hour, "hr": time.Hour,
		"day": 24 * time.Hour, "week": 7 * 24 * time.Hour,
	}
	fields := strings.Fields(strings.ToLower(text))
	if len(fields)%2 != 0 {
		return 0
	}
	var sum float64
	for i := 0; i < len(fields); i += 2 {
		n, err := strconv.ParseFloat(fields[i], 64)
		unit := units[strings.TrimRight(fields[i+1], "s,")]
		if err != nil || !(n >= 0) || unit == 0 {
			return 0
		}
		sum += n * float64(unit)
	}
	if sum > float64(math.MaxInt64/2) {
		return 0
	}
	return time.Duration(sum)
}

// parseCount reads a number that is whole and not negative.
func parseCount(text string) *int64 {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0 && n <= jsonscan.MaxCount) || n != math.Trunc(n) {
		return nil
	}
	whole := int64(n)
	return &whole
}

// parseSize reads a number of bytes with a unit such as "62G", "62 GB", "3.5GiB" or "512M":
// powers of 1024, as the tools of Linux write them. Without a unit it is bytes.
func parseSize(text string) *int64 {
	text = strings.ToUpper(strings.ReplaceAll(text, " ", ""))
	text = strings.TrimSuffix(strings.TrimSuffix(text, "B"), "I")
	factor := 1.0
	if i := strings.IndexByte("KMGTP", last(text)); i >= 0 && text != "" {
		factor = math.Pow(1024, float64(i+1))
		text = text[:len(text)-1]
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0 && n*factor <= jsonscan.MaxCount) {
		return nil
	}
	bytes := int64(n * factor)
	return &bytes
}

func last(text string) byte {
	if text == "" {
		return 0
	}
	return text[len(text)-1]
}

// parseShare reads a percentage from 0 to 100, with or without its sign, and returns it as a
// share of 1.
func parseShare(text string) *float64 {
	n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(text, "%")), 64)
	if err != nil || !(n >= 0 && n <= 100) || last(text) != '%' && n != math.Trunc(n) {
		return nil // 0.28 without a sign may be 28 % or not
	}
	n /= 100
	return &n
}

func parseBool(text string) *bool {
	yes := true
	switch strings.ToLower(text) {
	case "true", "yes", "on", "enabled", "1":
	case "false", "no", "off", "disabled", "0":
		yes = false
	default:
		return nil
	}
	return &yes
}

// parseUp reads the status of a node of MongoDB: ABS's daily mail has "up", and MongoDB itself the
// state of a member of a replica set. For any other state it returns nil.
func parseUp(text string) *bool {
	up := true
	switch strings.ToLower(text) {
	case "up", "ok", "running", "online", "active", "healthy", "connected", "true", "1",
		"primary", "secondary", "arbiter", "recovering", "startup", "startup2", "rollback":
	case "down", "failed", "stopped", "offline", "inactive", "unhealthy", "disconnected", "inaccessible", "unreachable", "false", "0",
		"(not reachable/healthy)", "not reachable", "unknown", "removed":
		up = false
	default:
		return nil
	}
	return &up
}
