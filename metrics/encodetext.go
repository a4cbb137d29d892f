package metrics

import (
	"strconv"
	"strings"
)

// helpEscaper escapes HELP in the text format; OpenMetrics escapes quotes, too.
var helpEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`)

// encodeText writes a group in the text format 0.0.4 or in OpenMetrics 1.0.0, which 0.0.1 equals as
// far as it is used here. Values are written as integers (1234567, where the standard encoder has
// 1.234567e+06), because people read them, too; to every parser both are the same.
func encodeText(pg *page, g *FamilySamples, openMetrics, created bool) {
	f := g.Family
	name := f.Name
	if openMetrics {
		name = f.openMetricsName()
		pg.buf = AppendOpenMetricsHead(pg.buf, f)
	} else {
		pg.buf = appendComment(pg.buf, "# HELP ", name, helpEscaper.Replace(f.Help))
		pg.buf = appendComment(pg.buf, "# TYPE ", name, string(f.Type))
	}
	created = created && openMetrics && f.Type == Counter
	for _, block := range g.Blocks {
		for i := range block.Samples {
			pg.buf = appendLine(pg.buf, f.Name, &block.Samples[i], block.Labels)
			if s := block.Samples[i].Series; created && s.created != 0 {
				pg.buf = append(pg.buf, name...)
				pg.buf = append(pg.buf, "_created"...)
				pg.buf = block.Labels.appendTo(pg.buf, s.text)
				pg.buf = append(pg.buf, ' ')
				pg.buf = appendSeconds(pg.buf, s.created)
				pg.buf = append(pg.buf, '\n')
			}
			pg.spill()
		}
	}
}

// AppendOpenMetricsHead appends the lines that precede the samples of a family in OpenMetrics.
func AppendOpenMetricsHead(b []byte, f *Family) []byte {
	name := f.openMetricsName()
	b = appendComment(b, "# HELP ", name, textEscaper.Replace(f.Help))
	b = appendComment(b, "# TYPE ", name, string(f.Type))
	if unit := f.exposedUnit(); unit != "" {
		b = appendComment(b, "# UNIT ", name, unit)
	}
	return b
}

// AppendSample appends the line of a sample in OpenMetrics with its timestamp. series is a series
// as Series.String has it, and extra is further labels for it, as AppendLabel makes them; ms is in
// milliseconds since 1970.
func AppendSample(b []byte, series string, extra []byte, value, ms int64) []byte {
	name, own, labelled := strings.Cut(series, "{")
	b = append(b, name...)
	b = append(b, extra...)
	switch {
	case !labelled && len(extra) > 0:
		b = append(b, '}')
	case labelled && len(extra) > 0:
		b = append(append(b, ','), own...)
	case labelled:
		b = append(append(b, '{'), own...)
	}
	b = append(b, ' ')
	b = strconv.AppendInt(b, value, 10)
	b = append(b, ' ')
	b = appendSeconds(b, ms)
	return append(b, '\n')
}

// AppendLabel appends a label to those that AppendSample adds to a series.
func AppendLabel(b []byte, name, value string) []byte {
	return appendLabel(b, len(b), name, value)
}

func appendComment(b []byte, keyword, name, rest string) []byte {
	b = append(b, keyword...)
	b = append(b, name...)
	b = append(b, ' ')
	b = append(b, rest...)
	return append(b, '\n')
}

func appendLine(b []byte, name string, s *Sample, labels *OwnLabels) []byte {
	b = append(b, name...)
	b = labels.appendTo(b, s.Series.text)
	b = append(b, ' ')
	if s.Series.family.Scale != 0 {
		b = strconv.AppendFloat(b, s.Float(), 'g', -1, 64)
	} else {
		b = strconv.AppendInt(b, s.Value, 10)
	}
	return append(b, '\n')
}

// appendSeconds writes milliseconds since 1970 as seconds, exactly.
func appendSeconds(b []byte, ms int64) []byte {
	if ms < 0 {
		b = append(b, '-')
		ms = -ms
	}
	b = strconv.AppendInt(b, ms/1000, 10)
	if ms %= 1000; ms != 0 {
		b = append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
	}
	return b
}
