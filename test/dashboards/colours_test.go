package dashboards

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/dashboards/build"
)

// Everybody can distinguish the colours of one panel: computed by Machado, Oliveira and Fernandes
// 2009 (severity 1) and the CIE's L*a*b* distance.
func TestColoursForColourBlindPeople(t *testing.T) {
	const least = 11 // some five times the least difference that the eye sees
	sights := map[string][3][3]float64{
		"normal sight": {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
		"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
		"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
	}
	for panel, colours := range build.Palettes() {
		for sight, m := range sights {
			for i, a := range colours {
				for _, b := range colours[:i] {
					if d := distance(seen(t, a, m), seen(t, b, m)); d < least {
						t.Errorf("%s: %s and %s are alike with %s: %.1f", panel, a, b, sight, d)
					}
				}
			}
		}
	}
}

// Marks stand out from the panels of Grafana's dark and light themes (WCAG 2.2, 1.4.11), and the
// text that Grafana writes on a judgement can be read (1.4.3). No text has a colour of its own:
// none can be read on both backgrounds.
func TestContrast(t *testing.T) {
	backgrounds := map[string]string{"dark": "#181B1F", "light": "#FFFFFF"}
	const onColour = "#F7F8FA" // Grafana's text on a colour that is not very bright
	var marks []string
	for _, colours := range build.Palettes() {
		marks = append(marks, colours...)
	}
	for _, mark := range marks {
		for theme, background := range backgrounds {
			if c := contrast(t, mark, background); c < 3 {
				t.Errorf("%s on the %s theme: %.2f", mark, theme, c)
			}
		}
	}
	for _, judgement := range build.Judgements() {
		if c := contrast(t, onColour, judgement); c < 4.5 {
			t.Errorf("text on %s: %.2f", judgement, c)
		}
	}
	used := regexp.MustCompile(`#[0-9A-Fa-f]{6}\b`)
	for _, d := range load(t) {
		for _, colour := range used.FindAllString(d.raw, -1) {
			if !slices.Contains(marks, colour) {
				t.Errorf("%s: %s is in no palette", d.UID, colour)
			}
		}
		for _, faint := range []string{`"color-text"`, `"colorMode": "value"`, `"continuous-`, `"gradient"`} {
			if strings.Contains(d.raw, faint) {
				t.Errorf("%s: has %s, which is faint on one of the themes", d.UID, faint)
			}
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	c := linear(t, hex)
	return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2]
}

// linear returns the light of red, green and blue.
func linear(t *testing.T, hex string) (rgb [3]float64) {
	t.Helper()
	for i := range rgb {
		v, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(fmt.Errorf("%s: %w", hex, err))
		}
		c := float64(v) / 255
		if c <= 0.04045 {
			rgb[i] = c / 12.92
		} else {
			rgb[i] = math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return rgb
}

// seen returns a colour in L*a*b* as somebody sees it; m applies to linear light.
func seen(t *testing.T, hex string, m [3][3]float64) [3]float64 {
	t.Helper()
	var out [3]float64
	rgb := linear(t, hex)
	for i := range out {
		for j := range rgb {
			out[i] += m[i][j] * rgb[j]
		}
		out[i] = min(max(out[i], 0), 1)
	}
	f := func(v float64) float64 {
		if v > 216.0/24389 {
			return math.Cbrt(v)
		}
		return (24389.0/27*v + 16) / 116
	}
	x := f((0.4124564*out[0] + 0.3575761*out[1] + 0.1804375*out[2]) / 0.95047)
	y := f(0.2126729*out[0] + 0.7151522*out[1] + 0.0721750*out[2])
	z := f((0.0193339*out[0] + 0.1191920*out[1] + 0.9503041*out[2]) / 1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

func distance(a, b [3]float64) float64 {
	return math.Hypot(math.Hypot(a[0]-b[0], a[1]-b[1]), a[2]-b[2])
}
