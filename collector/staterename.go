package collector

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"slices"
)

// orphan is a state file of a target that is not configured.
type orphan struct {
	path  string
	state *savedState
}

// findOrphans reads the state files of a directory that belong to no configured target of any
// shard. A file that cannot be read is nobody's business here: it is refused when its target is
// configured.
func findOrphans(dir string, targets []Target, otherShards map[string]int) []orphan {
	if dir == "" {
		return nil
	}
	paths, err := filepath.Glob(filepath.Join(dir, StatePattern))
	if err != nil {
		return nil // the pattern is constant
	}
	var orphans []orphan
	for _, path := range paths {
		if slices.ContainsFunc(targets, func(t Target) bool { return statePath(dir, t.Name) == path }) {
			continue
		}
		if s, err := readState(path); err == nil && !inAnotherShard(s.Target, otherShards) {
			orphans = append(orphans, orphan{path, s})
		}
	}
	return orphans
}

// adopt returns the state that the target saved under a former name, if one of the orphans is of
// the same ABS and token key; nil if none is.
func (f *stateFile) adopt(orphans *[]orphan, log *slog.Logger) *savedState {
	i := slices.IndexFunc(*orphans, func(o orphan) bool {
		return f.url != "" && o.state.URL == f.url && bytes.Equal(o.state.KeyCheck, f.keyCheck)
	})
	if i < 0 {
		return nil
	}
	o := (*orphans)[i]
	*orphans = slices.Delete(*orphans, i, i+1)
	f.adopted = o.path
	log.Info("state of a renamed target adopted", "former_target", o.state.Target, "file", o.path,
		"consequence", "slots and baselines go on; series start at 0 under the new name")
	return o.state
}

// warnOfOrphans logs the state files that no target adopted.
func warnOfOrphans(orphans []orphan, log *slog.Logger) {
	for _, o := range orphans {
		log.Warn("state file of a target that is not configured", "file", o.path, "former_target", o.state.Target, "former_url", o.state.URL,
			"consequence", "its counters do not go on; if the host of --abs.url changed, --abs.name="+o.state.Target+" keeps them; else remove the file")
	}
}
