// Package logging makes the log of the process: it never lets the program wait, and no value in it
// is longer than a kilobyte.
package logging

import (
	"io"
	"log/slog"

	"github.com/prometheus/common/promslog"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
)

// New returns a logger with the settings of the command.
func New(c config.Log, w io.Writer) *slog.Logger { return At(Level(c), c, w) }

// Level returns the level of the settings, which may be changed later.
func Level(c config.Log) *promslog.Level {
	level := promslog.NewLevel()
	_ = level.Set(c.Level) // valid: the flag accepts nothing else
	return level
}

// At returns a logger of a level that may change.
func At(level *promslog.Level, c config.Log, w io.Writer) *slog.Logger {
	format := promslog.NewFormat()
	_ = format.Set(c.Format) // likewise
	return slog.New(bounded{promslog.New(&promslog.Config{Level: level, Format: format, Writer: w}).Handler()})
}
