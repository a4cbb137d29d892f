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
	state *savedState // nil: that of the target in memory
	last  *target
}

// removed returns the targets that were removed as orphans, where no state is saved.
func removed(loops []*loop) []orphan {
	var orphans []orphan
	for _, l := range loops {
		if l.target.state.path == "" {
			orphans = append(orphans, orphan{last: l.target})
		}
	}
	return orphans
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
			orphans = append(orphans, orphan{path: path, state: s})
		}
	}
	return orphans
}

// adopt returns the state that the target saved under a former name, if one of the orphans is of
// the same ABS and token key; nil if none is. One in memory may have had the same name, too.
func (f *stateFile) adopt(t *Target, orphans *[]orphan, log *slog.Logger) *savedState {
	sameName := func(o orphan) bool { return o.last != nil && o.last.Name == t.Name }
	sameABS := func(o orphan) bool {
		if o.last != nil {
			return f.url != "" && o.last.URL == f.url
		}
		return f.url != "" && o.state.URL == f.url && bytes.Equal(o.state.KeyCheck, f.keyCheck)
	}
	i := slices.IndexFunc(*orphans, sameName)
	if i < 0 {
		i = slices.IndexFunc(*orphans, sameABS)
	}
	if i < 0 {
		return nil
	}
	o := (*orphans)[i]
	*orphans = slices.Delete(*orphans, i, i+1)
	if o.last != nil {
		o.state = o.last.handOver(f)
		if o.last.Name == t.Name {
			return o.state
		}
		log.Info("state of a renamed target adopted", "former_target", o.last.Name,
			"consequence", "slots and baselines go on; series start at 0 under the new name")
		return o.state
	}
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
