package collector

import (
	"fmt"
	"slices"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// Change is how the targets of a collector change while it runs.
type Change struct {
	Remove []string // names
	Add    []Target
	Update []Target // have the names of others, and other settings
}

// Apply changes the targets, all or none: if one that is added cannot go on from its saved state,
// an error says so, and the others go on as they are.
//
//   - One that is removed is cut at once, its series end, and its state file stays.
//   - One that is added goes on from the state that it, or a removed one with the same URL, has.
//     One that is added and removed at once, with the same URL, is updated to another name.
//   - One that is updated takes its settings at its next cycle, so that no cycle is cut, and all
//     that was exposed is exposed for a cycle first; see loop.change.
//
// Targets that the change does not name notice nothing.
func (c *Collector) Apply(change Change) error {
	c.changing.Lock()
	defer c.changing.Unlock()
	if c.running != nil && c.running.Err() != nil {
		return c.running.Err()
	}
	var kept, gone []*loop
	updates := map[*loop]Target{}
	for _, l := range c.all() {
		to, update := change.of(l)
		switch {
		case update && !l.stopped.Load():
			updates[l] = to
			kept = append(kept, l)
		case update: // it stopped after panics, and begins anew from its saved state
			change.Add = append(change.Add, to)
			gone = append(gone, l)
		case slices.Contains(change.Remove, l.name):
			gone = append(gone, l)
		default:
			kept = append(kept, l)
		}
	}
	for _, l := range gone {
		l.end()
	}
	for _, t := range change.Add {
		c.freeName(t.Name, kept)
	}
	added, err := c.prepare(change.Add, kept, gone)
	if err != nil {
		for _, l := range gone {
			c.start(l)
		}
		return err
	}
	for _, l := range gone {
		c.remove(l)
	}
	for l, to := range updates {
		l.handOver(to)
	}
	for _, l := range added {
		// The labels of its own are on the first series of its health, too.
		l.Publisher.Publish(l.target.Name, &metrics.Snapshot{Labels: l.target.Labels, Interim: true})
		l.target.open()
		c.start(l)
	}
	all := slices.Concat(kept, added)
	c.loops.Store(&all)
	return nil
}

// of returns what a loop is updated to. A target that is added with the URL of one that is removed
// is that one under another name.
func (c *Change) of(l *loop) (to Target, update bool) {
	if i := slices.IndexFunc(c.Update, func(t Target) bool { return t.Name == l.name }); i >= 0 {
		return c.Update[i], true
	}
	i := slices.IndexFunc(c.Add, func(t Target) bool { return t.URL != "" && t.URL == l.url })
	if i < 0 || !slices.Contains(c.Remove, l.name) {
		return Target{}, false
	}
	to = c.Add[i]
	c.Add = slices.Delete(slices.Clone(c.Add), i, i+1)
	return to, true
}

// freeName renames the target that still has a name, if one is about to be renamed.
func (c *Collector) freeName(name string, loops []*loop) {
	for _, l := range loops {
		if l.status.Load().Target == name && l.next.Load() != nil {
			l.end()
			l.change()
			c.start(l)
		}
	}
}

// prepare prepares targets beside those that are kept. Of those that are gone it takes the states.
func (c *Collector) prepare(targets []Target, kept, gone []*loop) ([]*loop, error) {
	configured := slices.Clone(targets)
	for _, l := range kept {
		configured = append(configured, Target{Name: l.name}, Target{Name: l.status.Load().Target})
	}
	orphans := slices.Concat(removed(gone), c.parked)
	if len(targets) > 0 {
		orphans = append(orphans, findOrphans(targets[0].Options.StateDir, configured, c.environment.OtherShards)...)
	}
	added := make([]*loop, 0, len(targets))
	for _, t := range targets {
		l, err := newLoop(t, c.environment, &orphans)
		if err != nil {
			return nil, fmt.Errorf("target %q: %w", t.Name, err)
		}
		added = append(added, l)
	}
	c.parked = slices.DeleteFunc(orphans, func(o orphan) bool { return o.last == nil })
	return added, nil
}

// remove ends the series of a target that does not run any more.
func (c *Collector) remove(l *loop) {
	c.environment.Health.Forget(l.target.Name)
	c.environment.Publisher.Publish(l.target.Name, nil)
	l.target.log.Info("target removed",
		"consequence", "its series end; added again, it goes on from its state, and slots missed meanwhile are read")
	l.close()
}

// end ends the goroutine of a loop, and with it the running cycle.
func (l *loop) end() {
	if l.halt != nil {
		l.halt()
		<-l.done
	}
}

// close closes what the targets of a loop that has ended used.
func (l *loop) close() {
	if next := l.next.Swap(nil); next != nil {
		next.close()
	}
	l.target.close()
}

func (t *Target) close() {
	if t.Close != nil {
		t.Close()
	}
}

// handOver hands settings over to the goroutine of the loop, which takes them at its next cycle.
func (l *loop) handOver(t Target) {
	l.name, l.url = t.Name, t.URL
	if earlier := l.next.Swap(&t); earlier != nil {
		earlier.close()
	}
	if wake := l.wake.Load(); wake != nil {
		(*wake)() // the interval may be another one
	}
}

// change takes the settings that were handed over since the last cycle: another target goes on from
// what the last one has in memory, as a restart would from the state that it saved.
func (l *loop) change() {
	next := l.next.Swap(nil)
	if next == nil {
		return
	}
	old := l.target
	l.counted = l.counted || old.ledger.Requests() > 0
	state := newStateFile(next.Options.StateDir, *next, l.Key.Check())
	state.saved, state.adopted = old.state.saved, old.state.adopted
	if state.path != old.state.path {
		state.adopted = old.state.path
	}
	restarts := !old.state.sameSeries(state)
	t, err := newTarget(*next, l.Environment, state, old.handOver(state), l.heartbeat, &l.status)
	if err != nil { // impossible: it is its own state
		old.log.Error("settings not applied", "err", err, "consequence", "the target goes on with its former settings")
		next.close()
		return
	}
	t.follow(old, restarts)
	t.open()
	if t.Name != old.Name {
		l.Health.Forget(old.Name)
		l.Publisher.Publish(old.Name, nil)
	}
	l.setLimit(next)
	l.target = t
	old.close()
	t.log.Info("settings applied", "consequence", "the target goes on from what it has counted")
}

// handOver returns the state of a target whose cycle is over, for one that follows it under any
// name and labels, which keeps its state in f. The target must not run any more.
func (t *target) handOver(f *stateFile) *savedState {
	if !t.state.sameSeries(f) {
		shown := metrics.Shown(t.counters)
		t.ledger.RestartSeries(shown)
		t.findings.RestartSeries(shown)
	}
	return f.state(t.state.saved, t.ledger.State(), t.findings.State())
}

// follow takes over what is no part of a state from the target whose settings changed, so that
// nothing is missing until the next reports.
func (t *target) follow(old *target, restarts bool) {
	unknown := *t.absClock
	t.goOnFrom(old)
	if t.URL != old.URL {
		*t.absClock = unknown
	}
	if t.Location.String() != old.Location.String() || t.Inclusive != old.Inclusive {
		t.absClock.wrongZone = false
	}
	t.up, t.last = old.up, old.last
	if restarts { // its health begins at 0 as its counters do
		t.health.Restart(t.Name)
	} else {
		t.counters = old.counters // they stay exposed while the state cannot be saved
	}
	if t.URL != old.URL {
		return
	}
	t.window.showLast(old.window)
	if t.Admin != nil {
		t.admin.read, t.admin.exposed, t.admin.status = old.admin.read, old.admin.exposed, old.admin.status
	}
}
