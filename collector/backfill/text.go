package backfill

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"strings"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// writeText writes the samples of all parts as OpenMetrics: family by family, series by series,
// each in the order of time.
func writeText(ctx context.Context, w io.Writer, labels []Label, parts []string) (Written, error) {
	out := bufio.NewWriterSize(w, 1<<16)
	var extra, line []byte
	for _, l := range labels {
		extra = metrics.AppendLabel(extra, l.Name, l.Value)
	}
	var written Written
	var last string
	err := mergeParts(parts, func(series string, points []byte) error {
		if series != last {
			name, _, _ := strings.Cut(series, "{")
			if former, _, _ := strings.Cut(last, "{"); name != former {
				line = metrics.AppendOpenMetricsHead(line[:0], family(name))
				_, _ = out.Write(line) // the last write returns the error
				written.Bytes += int64(len(line))
			}
			last = series
			written.Series++
		}
		var ms, value int64
		for len(points) > 0 {
			dms, n := binary.Varint(points)
			dvalue, m := binary.Varint(points[max(n, 0):])
			if n <= 0 || m <= 0 {
				return errPart
			}
			points = points[n+m:]
			ms, value = ms+dms, value+dvalue
			line = metrics.AppendSample(line[:0], series, extra, value, ms)
			if _, err := out.Write(line); err != nil {
				return err
			}
			written.Samples++
			written.Bytes += int64(len(line))
		}
		return ctx.Err()
	})
	if err != nil {
		return written, err
	}
	n, _ := out.WriteString("# EOF\n") // Flush returns the error
	written.Bytes += int64(n)
	return written, out.Flush()
}

// family returns the family of a name. Parts have no others than those of the table.
func family(name string) *metrics.Family {
	for _, f := range metrics.Table() {
		if f.Name == name {
			return f
		}
	}
	return &metrics.Family{Name: name, Type: metrics.Counter}
}
