package collector

import (
	"log/slog"
	"maps"
	"os"
	"slices"
)

// Each shard has a state directory of its own. When the number of shards changes, some targets
// move, and their state does not move with them.

func inAnotherShard(target string, otherShards map[string]int) bool {
	_, ok := otherShards[target]
	return ok
}

// warnOfMoved logs the targets that have moved to another shard and left their state here.
func warnOfMoved(e *Environment) {
	if e.StateDir == "" {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(e.OtherShards)) {
		path := statePath(e.StateDir, name)
		if _, err := os.Lstat(path); err != nil {
			continue
		}
		e.Log.Warn("state file of a target of another shard", "target", name, "shard", e.OtherShards[name], "file", path,
			"consequence", "its counters do not go on from here; move the file to the state directory of that shard while neither runs, or remove it")
	}
}

// logNoState logs that a sharded target starts without state: it is new, or it has moved.
func (f *stateFile) logNoState(e *Environment, log *slog.Logger) {
	if e.OtherShards == nil || f.path == "" {
		return
	}
	log.Info("no state of the target in this shard", "file", f.path,
		"consequence", "its counters start at 0, and requests from before are counted back to --collect.lookback only; if the target was in another shard, move its state file here while neither runs, and they go on")
}
