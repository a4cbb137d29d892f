package cmdline

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/common/model"
)

var errLongUnits = errors.New("whole weeks and days come first, as in 1w2d12h; 106751d at most")

// parseDuration parses what time.ParseDuration does, and weeks and days as Prometheus writes them:
// 1w2d12h.
func parseDuration(text string) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil || !strings.ContainsAny(text, "dw") {
		return d, err
	}
	d, err := model.ParseDuration(text)
	if err != nil {
		return 0, errLongUnits
	}
	return time.Duration(d), nil
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
