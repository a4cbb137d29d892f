package check

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
)

// number writes a number with commas.
func number[T ~int | ~int64](n T) string {
	text := strconv.FormatInt(int64(n), 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// counted writes a number and what is counted.
func counted[T ~int | ~int64](n T, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + more
}

// size writes a number of bytes with a unit of powers of 1000.
func size(n int64) string {
	value, unit := float64(n), ""
	for _, unit = range []string{"B", "kB", "MB", "GB", "TB"} {
		if value < 1000 {
			break
		}
		value /= 1000
	}
	if value >= 10 || unit == "B" {
		return fmt.Sprintf("%.0f %s", value, unit)
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}

// duration writes a duration to milliseconds, or to tenths of a second from a second on.
func duration(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

// length writes the length of a window, or the value of a flag, such as 90m or 3h.
func length(d time.Duration) string { return config.DurationText(d) }

// quoted writes names that ABS sent, at most ten of them.
func quoted(names []string) string {
	const most = 10
	var texts []string
	for _, name := range names[:min(len(names), most)] {
		texts = append(texts, strconv.QuoteToGraphic(name))
	}
	text := strings.Join(texts, ", ")
	if more := len(names) - most; more > 0 {
		text += " and " + counted(more, "other", "others")
	}
	return text
}

// sentence begins with a capital letter.
func sentence(text string) string {
	r, n := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[n:]
}
