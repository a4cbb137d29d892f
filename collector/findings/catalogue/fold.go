package catalogue

import (
	"strings"
	"unicode"
)

// maxName is the longest name, in bytes, that is looked up at all. The longest published spelling
// has 59; what is far longer is in no catalogue, however it folds.
const maxName = 256

// fold returns one form for all spellings of a name: ABS's pages differ in case, in spaces and
// dashes ("Attack- Per", "Attack - Per"), in underscores (data_exfiltration_attack) and in whether
// they have the word "attack" at all ("Extreme App Activity"). It keeps the other words, in order,
// with one space between them. Any white space separates, line breaks too: ABS breaks lines inside
// its strings.
//
// Only ASCII letters lose their case, and nothing else is dropped: quotes, brackets and letters of
// another script make another name. No two names of the catalogue that mean different types fold
// into one, other than those that ABS itself spells alike; a test checks that, and so that leaving
// out "attack" is safe.
func fold(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool {
		return r == '_' || unicode.IsSpace(r) || unicode.Is(unicode.Pd, r)
	})
	kept := words[:0]
	for _, word := range words {
		if word = strings.Map(lowerASCII, word); word != "attack" {
			kept = append(kept, word)
		}
	}
	return strings.Join(kept, " ")
}

func lowerASCII(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + ('a' - 'A')
	}
	return r
}
