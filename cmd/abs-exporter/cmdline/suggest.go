package cmdline

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/hbollon/go-edlib"
)

// distance is how many letters must be inserted, removed, replaced or swapped with the next one to
// make one word of the other.
var distance = edlib.OSADamerauLevenshteinDistance

// maxSuggestions is how many words are suggested in place of a wrong one.
const maxSuggestions = 4

// Suggestion returns the end of a message about a word that is none of words: the closest of them,
// by the whole or by what is after the last dot; "" if none is close.
func Suggestion(word string, words []string) string {
	last := word[strings.LastIndex(word, ".")+1:]
	limit := min(max(len(last)/3, 1), 3)
	var best []string
	for _, w := range words {
		far := distance(word, w)
		switch {
		case len(last) > 1 && strings.HasPrefix(w, word):
			far = 1
		case last == word && strings.Contains(w, "."):
			far = min(far, 1+distance(strings.TrimPrefix(word, "--"), w[strings.LastIndex(w, ".")+1:]))
		}
		switch {
		case word == w:
			return "" // it is right elsewhere
		case far > limit || slices.Contains(best, w):
		case far < limit:
			limit, best = far, []string{w}
		default:
			best = append(best, w)
		}
	}
	if len(best) == 0 || len(best) > maxSuggestions {
		return ""
	}
	slices.Sort(best)
	return "; did you mean " + strings.Join(best, " or ") + "?"
}

var unknownWord = regexp.MustCompile(`^(unknown flag|unexpected argument) (\S+?)(?:, did you mean .*)?$`)

// WithSuggestion suggests a flag or a command in an error of kong about one that does not exist.
// Kong itself suggests no command where there is a default one, and no flag by its last part.
func WithSuggestion(err error, app *kong.Application) error {
	var wrong *kong.ParseError
	found := unknownWord.FindStringSubmatch(err.Error())
	if found == nil || !errors.As(err, &wrong) {
		return err
	}
	kind, word := found[1], found[2]
	var words []string
	if kind == "unexpected argument" {
		words = CommandNames(app)
	} else {
		command := wrong.Context.Selected()
		if command == nil {
			command = app.Children[slices.Index(CommandNames(app), "serve")] // the default
		}
		for _, flag := range allFlags(app, command) {
			words = append(words, written(flag)...)
		}
	}
	return fmt.Errorf("%s %s%s", kind, word, Suggestion(word, words))
}

// CommandNames returns the names of all commands.
func CommandNames(app *kong.Application) (names []string) {
	for _, c := range app.Children {
		names = append(names, c.Name)
	}
	return names
}
