package config

import (
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/abs-exporter/abs-exporter/collector/fold"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// maxMaxTokens is more tokens than an ABS has in a window, and than a Prometheus can hold.
const maxMaxTokens = 10_000_000

// maxMaxValues is more values of one label than a Prometheus can hold for each token.
const maxMaxValues = 1_000_000

func (f *Series) validate(fail failure) {
	notNegative(fail, "series.max-tokens", f.MaxTokens)
	if f.MaxTokens > maxMaxTokens {
		fail("series.max-tokens", "must be %d or less but is %d", maxMaxTokens, f.MaxTokens)
	}
	if f.MaxValues < 1 {
		fail("series.max-values", "must be 1 or more but is %d", f.MaxValues)
	}
	if f.MaxValues > maxMaxValues {
		fail("series.max-values", "must be %d or less but is %d", maxMaxValues, f.MaxValues)
	}
	for _, name := range slices.Sorted(maps.Keys(f.MaxValuesOf)) {
		n := f.MaxValuesOf[name]
		switch {
		case !isDimension(name):
			fail("series.max-values-of", "unknown label %q; there are %s", name, dimensionNames())
		case n < 1 || n > maxMaxValues:
			fail("series.max-values-of", "%s must be 1 to %d but is %d", name, maxMaxValues, n)
		}
	}
	positive(fail, "series.expire", f.Expire)
	if f.TokenKeyFile != "" {
		if _, err := ReadTokenKey(f.TokenKeyFile); err != nil {
			fail("series.token-key-file", "%s", err)
		}
	}
}

func isDimension(name string) bool {
	return slices.ContainsFunc(counts.Dimensions(), func(d counts.Dimension) bool { return d.String() == name })
}

func dimensionNames() string {
	var names []string
	for _, d := range counts.Dimensions() {
		names = append(names, d.String())
	}
	return strings.Join(names, ", ")
}

func (f *Series) dimensions(fail failure) (dimensions []counts.Dimension) {
	all := counts.Dimensions()
	for _, name := range f.Dimensions {
		i := slices.IndexFunc(all, func(d counts.Dimension) bool { return d.String() == name })
		switch {
		case name == "":
		case i < 0:
			fail("series.dimensions", "unknown dimension %q; there are %s", name, dimensionNames())
		case slices.Contains(dimensions, all[i]):
			fail("series.dimensions", "%q is named twice", name)
		default:
			dimensions = append(dimensions, all[i])
		}
	}
	return dimensions
}

// choices returns which values of each dimension get series.
func (f *Series) choices(fail failure) (c counts.Choices) {
	for _, d := range counts.Dimensions() {
		c[d].Limit = f.MaxValuesOf[d.String()]
	}
	c[counts.API].Allow = expression(fail, "series.allow-apis", f.AllowAPIs)
	c[counts.API].Deny = expression(fail, "series.deny-apis", f.DenyAPIs)
	c[counts.Device].Allow = expression(fail, "series.allow-devices", f.AllowDevices)
	c[counts.Device].Deny = expression(fail, "series.deny-devices", f.DenyDevices)
	if f.DeviceFamilies {
		c[counts.Device].Name = fold.Device
	}
	return c
}

// expression compiles a regular expression that matches whole values, as those of Prometheus do. It
// returns nil for none.
func expression(fail failure, name, text string) *regexp.Regexp {
	if text == "" {
		return nil
	}
	compiled, err := regexp.Compile("^(?s:" + text + ")$")
	if _, alone := syntax.Parse(text, syntax.Perl); err != nil || alone != nil {
		fail(name, "%q is no regular expression: %s", text, syntaxOf(alone, err))
		return nil
	}
	return compiled
}

// syntaxOf returns what is wrong with an expression in its own words, as far as it alone is wrong.
func syntaxOf(errs ...error) string {
	for _, err := range errs {
		if err != nil {
			return strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		}
	}
	return ""
}

// excluded returns the families that are left out.
func (f *Series) excluded(fail failure) (left []*metrics.Family) {
	const name = "series.exclude-families"
	for _, pattern := range f.ExcludeFamilies {
		e := expression(fail, name, pattern)
		if e == nil {
			continue
		}
		matches, always := 0, ""
		for _, family := range metrics.Table() {
			switch {
			case !e.MatchString(family.Name):
			case !family.InSnapshot() || family.Group == metrics.GroupHealth:
				always = family.Name
			default:
				matches++
				if !slices.Contains(left, family) {
					left = append(left, family)
				}
			}
		}
		switch {
		case matches > 0:
		case always != "":
			fail(name, "%q matches %s, which is about the exporter itself and is always there; drop it in Prometheus by metric_relabel_configs", pattern, always)
		default:
			fail(name, "%q matches no family; docs/metrics.md has their names", pattern)
		}
	}
	return left
}
