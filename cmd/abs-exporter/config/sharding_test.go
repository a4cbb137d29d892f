package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func names(n int) []Target {
	targets := make([]Target, n)
	for i := range targets {
		targets[i].Name = fmt.Sprintf("abs-%d.example.com", i)
	}
	return targets
}

// The shards together have every target, no target is in two, and each knows where the others are.
func TestShardsSplitTheTargets(t *testing.T) {
	all := names(200)
	for _, shards := range []int{1, 2, 3, 7, 32} {
		owners := make([][]int, len(all)) // by target: the shards that have it
		for shard := range shards {
			s := Sharding{Shard: shard, Shards: shards}
			own, others := s.split(all)
			if len(own)+len(others) != len(all) {
				t.Errorf("shard %d of %d has %d targets, and %d are elsewhere", shard, shards, len(own), len(others))
			}
			if most := len(all) / shards * 2; shards > 1 && shards < 10 && len(own) > most {
				t.Errorf("shard %d of %d has %d of %d targets", shard, shards, len(own), len(all))
			}
			for i, target := range all {
				at, elsewhere := others[target.Name]
				if !elsewhere {
					owners[i] = append(owners[i], shard)
				} else if at != shardOf(target.Name, shards) {
					t.Errorf("shard %d finds %s in %d", shard, target.Name, at)
				}
			}
		}
		for i, in := range owners {
			if len(in) != 1 || in[0] != shardOf(all[i].Name, shards) {
				t.Errorf("%s is in the shards %v of %d", all[i].Name, in, shards)
			}
		}
	}
}

// One shard more moves few targets, and only to the new shard.
func TestAnotherShardMovesFew(t *testing.T) {
	all := names(1000)
	for shards := 1; shards < 8; shards++ {
		moved := 0
		for _, target := range all {
			switch was, is := shardOf(target.Name, shards), shardOf(target.Name, shards+1); {
			case was == is:
			case is != shards:
				t.Fatalf("%s moves from %d to %d when shard %d is added", target.Name, was, is, shards)
			default:
				moved++
			}
		}
		if fair := len(all) / (shards + 1); moved > fair*5/4 {
			t.Errorf("%d targets move from %d to %d shards; %d would be fair", moved, shards, shards+1, fair)
		}
	}
}

// An upgrade must not move a target, since its state would stay behind.
func TestShardsAreTheSameInEveryRelease(t *testing.T) {
	var got []int
	for _, name := range []string{"production", "staging", "abs.example.com", "ünïcode", ""} {
		got = append(got, shardOf(name, 4))
	}
	if want := []int{3, 3, 3, 2, 0}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func shardedFile(t *testing.T) (dir string) {
	t.Helper()
	dir = keyFiles(t)
	var b strings.Builder
	b.WriteString("targets:\n")
	for _, target := range names(6) {
		fmt.Fprintf(&b, "  - {name: %q, url: \"https://%s:8080\", access-key-file: %s/access, secret-key-file: %s/secret}\n", target.Name, target.Name, dir, dir)
	}
	write(t, filepath.Join(dir, "config.yml"), b.String())
	return dir
}

// serve gets the targets of its shard, by flags or by variables; check and resolve get all.
func TestShardFlags(t *testing.T) {
	cleanEnv(t)
	config := "--config=" + filepath.Join(shardedFile(t), "config.yml")
	t.Setenv("ABS_EXPORTER_TARGETS_SHARDS", "2")
	seen := 0
	for _, shard := range []string{"0", "1"} {
		t.Setenv("ABS_EXPORTER_TARGETS_SHARD", shard)
		command, err := Parse([]string{config}, time.Now(), &bytes.Buffer{})
		if err != nil {
			t.Fatal(err)
		}
		s := command.(*Serve)
		seen += len(s.Targets)
		if len(s.Targets)+len(s.OtherShards) != 6 || len(s.Targets) == 6 {
			t.Errorf("shard %s has %d targets and knows of %d elsewhere", shard, len(s.Targets), len(s.OtherShards))
		}
		if !slices.ContainsFunc(s.Warnings, func(w Warning) bool { return strings.HasPrefix(w.Setting, "--targets.shards") }) {
			t.Errorf("no warning that each shard has a token key of its own: %v", s.Warnings)
		}
	}
	if seen != 6 {
		t.Errorf("the shards have %d of 6 targets", seen)
	}
	command, err := Parse([]string{"check", config}, time.Now(), &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(command.(*Check).Targets); n != 6 {
		t.Errorf("check has %d of 6 targets", n)
	}
}

func TestWrongShards(t *testing.T) {
	cleanEnv(t)
	dir := shardedFile(t)
	config := "--config=DIR/config.yml"
	for _, test := range []struct{ shard, shards, want string }{
		{"0", "0", "--targets.shards: must be from 1 to 1000 but is 0"},
		{"0", "1001", "--targets.shards: must be from 1 to 1000 but is 1001"},
		{"3", "3", "--targets.shard: must be from 0 to 2, below the number of shards, but is 3"},
		{"-1", "3", "--targets.shard: must be from 0 to 2, below the number of shards, but is -1"},
	} {
		if got := refused(t, dir, config, "--targets.shard="+test.shard, "--targets.shards="+test.shards); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
	// The list has the key of that name in the file.
	if err := os.WriteFile(filepath.Join(dir, "mapping.yml"), []byte("targets:\n  shard: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := refused(t, dir, "--config=DIR/mapping.yml"), "DIR/mapping.yml:2: key targets: expected a list but got a mapping"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := refused(t, dir, "demo", "--targets.shards=2"), "--targets.shards: the demo has its own ABS and sets this for it; --simulate.* changes that one"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
