package config

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
)

// Sharding spreads the targets over processes. All have the same configuration, and each polls the
// targets of its own shard only. The platform gives each its number, so these are no keys of the
// file, where targets is the list.
type Sharding struct {
	Shard  int `default:"0" help:"Which shard this process is, from 0. It polls the targets whose names hash to it."`
	Shards int `default:"1" help:"Number of shards, each a process with the same configuration, a state directory of its own and one token key for all. From n to n+1, one target of n+1 moves, and no other."`
}

// maxShards is more processes than an ABS has reason to be read by.
const maxShards = 1000

func (s *Sharding) validate(v *validation) {
	switch {
	case s.Shards < 1 || s.Shards > maxShards:
		v.failf("targets.shards", "must be from 1 to %d but is %d", maxShards, s.Shards)
	case s.Shard < 0 || s.Shard >= s.Shards:
		v.failf("targets.shard", "must be from 0 to %d, below the number of shards, but is %d", s.Shards-1, s.Shard)
	}
}

// split returns the targets of this shard, and the shards of the others by their names. Without
// sharding, the map is nil.
func (s *Sharding) split(targets []Target) (own []Target, others map[string]int) {
	if s.Shards <= 1 {
		return targets, nil
	}
	others = map[string]int{}
	for _, t := range targets {
		if shard := shardOf(t.Name, s.Shards); shard == s.Shard {
			own = append(own, t)
		} else {
			others[t.Name] = shard
		}
	}
	return own, others
}

// shardOf returns the shard of a target: the one whose number makes the highest hash together with
// the name (rendezvous hashing). Another shard takes targets from the others, and moves none
// between them. It is the same in every release, or an upgrade would move targets.
func shardOf(name string, shards int) int {
	best, highest := 0, uint64(0)
	for shard := range shards {
		sum := sha256.Sum256([]byte(strconv.Itoa(shard) + " " + name))
		if hash := binary.BigEndian.Uint64(sum[:]); hash > highest {
			best, highest = shard, hash
		}
	}
	return best
}
