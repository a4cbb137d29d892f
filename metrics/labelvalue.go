package metrics

import "unicode/utf8"

// MaxLabelValue is how many bytes the value of a label has at most, but for the label target, which
// the configuration sets.
const MaxLabelValue = 128

// LabelValue returns a text of a report as the value of a label: its first MaxLabelValue bytes,
// less those of a character that would be cut. The text must be UTF-8, as the readers of reports
// make it.
func LabelValue[T ~string | ~[]byte](text T) T {
	if len(text) <= MaxLabelValue {
		return text
	}
	n := MaxLabelValue
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
