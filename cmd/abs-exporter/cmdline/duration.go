package cmdline

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// longUnits matches the weeks and days that a duration may begin with, and what follows them.
var longUnits = regexp.MustCompile(`^(?:(\d+)w)?(?:(\d+)d)?(.*)$`)

var errLongUnits = errors.New("whole weeks and days come first, as in 1w2d12h")

// parseDuration parses what time.ParseDuration does, with whole weeks and days in front: 1w2d12h.
func parseDuration(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	parts := longUnits.FindStringSubmatch(text)
	switch {
	case len(parts) == 0 || parts[1] == "" && parts[2] == "" && !strings.ContainsAny(text, "dw"):
		return time.ParseDuration(text)
	case parts[1] == "" && parts[2] == "":
		return 0, errLongUnits
	}
	var total time.Duration
	if parts[3] != "" {
		rest, err := time.ParseDuration(parts[3])
		if err != nil || rest < 0 || parts[3][0] == '+' {
			return 0, errLongUnits
		}
		total = rest
	}
	for i, unit := range map[int]time.Duration{1: 7 * day, 2: day} {
		if parts[i] == "" {
			continue
		}
		n, err := strconv.ParseInt(parts[i], 10, 64)
		if err != nil || n > int64((1<<63-1-total)/unit) {
			return 0, errors.New("that is too long")
		}
		total += time.Duration(n) * unit
	}
	return total, nil
}

// DecodeDuration is how kong decodes each duration: of a flag, a variable or the file.
func DecodeDuration(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
		return err
	}
	d, err := parseDuration(text)
	if err != nil {
		return fmt.Errorf("expected duration but got %q: %w", text, err)
	}
	target.SetInt(int64(d))
	return nil
}
