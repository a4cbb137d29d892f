package collector

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
)

var stateRuns = flag.Int("state.runs", 250, "how many wrong states the target starts from")

// mutator changes one thing of a state, by its type.
type mutator struct {
	*rand.Rand
	places []reflect.Value
}

// walk collects all that can be changed.
func (m *mutator) walk(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		m.places = append(m.places, v)
		return
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			m.walk(v.Elem())
		}
		m.places = append(m.places, v)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		m.places = append(m.places, v)
		for i := range v.NumField() {
			m.walk(v.Field(i))
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if v.Type().Elem().Kind() != reflect.Uint8 {
				m.walk(v.Index(i))
			}
		}
		if v.Kind() == reflect.Slice {
			m.places = append(m.places, v, v, v, v) // where the counts are
		}
	default:
		m.places = append(m.places, v)
	}
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func (m *mutator) number(old int64) int64 {
	return pick(m.Rand, 0, 1, -1, old+1, old-1, -old, 2*old, math.MaxInt64, math.MinInt64, 1<<53, 1<<40, int64(m.Uint64()), m.Int64N(100))
}

// change changes a random place, and returns what it changed.
func (m *mutator) change() string {
	v := m.places[m.IntN(len(m.places))]
	if !v.CanSet() {
		return "nothing"
	}
	before := fmt.Sprintf("%v", v)
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		t := v.Interface().(time.Time)
		v.Set(reflect.ValueOf(pick(m.Rand, time.Time{}, time.Unix(0, 0), time.Unix(1<<40, 0), time.Unix(-1<<40, 0), time.Unix(math.MaxInt64/4, 0),
			t.Add(time.Duration(m.Int64N(int64(200*time.Hour)))-100*time.Hour), t.Add(time.Second), t.Add(30*time.Minute), t.Add(-30*time.Minute),
			t.AddDate(100, 0, 0), t.AddDate(-100, 0, 0))))
	case v.CanInt():
		v.SetInt(m.number(v.Int()))
	case v.CanUint():
		v.SetUint(uint64(m.number(int64(v.Uint()))))
	case v.Kind() == reflect.Bool:
		v.SetBool(!v.Bool())
	case v.Kind() == reflect.String:
		v.SetString(pick(m.Rand, "", "open", "settled", "nonsense", v.String()+"x", string(make([]byte, 1000))))
	case v.Kind() == reflect.Pointer, v.Kind() == reflect.Map, v.Kind() == reflect.Struct:
		v.SetZero()
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		m.bytes(v)
	case v.Kind() == reflect.Slice && v.Len() > 0:
		i, j := m.IntN(v.Len()), m.IntN(v.Len())
		switch m.IntN(4) {
		case 0: // one is there twice
			v.Set(reflect.Append(v, v.Index(i)))
		case 1: // one is missing
			v.Set(reflect.AppendSlice(v.Slice3(0, i, i), v.Slice(i+1, v.Len())))
		case 2: // two are exchanged
			x := reflect.New(v.Type().Elem()).Elem()
			x.Set(v.Index(i))
			v.Index(i).Set(v.Index(j))
			v.Index(j).Set(x)
		default:
			v.SetZero()
		}
	}
	return fmt.Sprintf("%s %.80s became %.80s", v.Type(), before, fmt.Sprintf("%v", v))
}

func (m *mutator) bytes(v reflect.Value) {
	b := bytes.Clone(v.Bytes())
	for range 1 + m.IntN(3) {
		if len(b) == 0 {
			break
		}
		switch i := m.IntN(len(b)); m.IntN(6) {
		case 4, 5: // another number, where counts are numbers of one byte
			b = append(b[:i:i], append(binary.AppendVarint(nil, m.number(1)), b[i+1:]...)...)
		case 0:
			b[i] = byte(m.Uint32())
		case 1:
			b[i] ^= 1 << m.IntN(8)
		case 2:
			b = append(b[:i], b[i+1:]...)
		default:
			b = append(b[:i], append([]byte{byte(m.Uint32())}, b[i:]...)...)
		}
	}
	v.SetBytes(b)
}

func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// A state with a valid checksum may have any content, written by a faulty exporter or by an
// attacker. It is refused, or the target continues from it: nothing panics, hangs or takes
// unbounded memory.
func TestStateWithWrongContent(t *testing.T) {
	long(t)
	o := defaults()
	o.StateDir, o.Audit, o.MaxTokens = t.TempDir(), 2*time.Hour, 6
	// Reports that seem long are read in spans.
	short := func(_ *abs.Config, t *Target) { t.ResponseCap = 8000 }
	s := newStory(t, simulator.Config{Seed: 3, Tokens: 8, Delay: 5 * time.Minute, AttackEvery: 10 * time.Minute}, o, abs.Exclusive, short)
	s.until(150 * time.Minute)
	good, err := s.state.load()
	if err != nil {
		t.Fatal(err)
	}
	now := s.clock.Now()
	spans := 0
	for _, slot := range good.Ledger.Slots {
		if len(slot.Spans) > 1 {
			spans += len(slot.Spans)
		}
	}
	if spans == 0 || len(good.Findings.Tokens) == 0 || len(good.Ledger.Labels[0]) == 0 {
		t.Fatalf("the state is too simple: %d spans", spans)
	}
	t.Logf("%d spans, %d slots", spans, len(good.Ledger.Slots))
	var payload bytes.Buffer
	if err := gob.NewEncoder(&payload).Encode(good); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for n := range *stateRuns {
		m := &mutator{Rand: rand.New(rand.NewPCG(14, uint64(n)))}
		mutated, err := decodePayload(bytes.Clone(payload.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		what := ""
		if n%4 == 0 { // the bytes of the gob
			b := reflect.New(reflect.TypeFor[[]byte]()).Elem()
			b.SetBytes(payload.Bytes())
			m.bytes(b)
			what = "bytes of the gob"
			if mutated, err = decodeGob(t, n, b.Bytes()); err != nil {
				refused++
				continue
			}
		} else {
			m.walk(reflect.ValueOf(mutated).Elem())
			for range 1 + m.IntN(2) {
				what += m.change() + "; "
			}
		}
		mutated.Target, mutated.KeyCheck = good.Target, good.KeyCheck // what is checked before
		s.o.MaxTokens = pick(m.Rand, 6, 6, 6, 0, 2, 1000)
		s.o.Slot = pick(m.Rand, 30*time.Minute, 30*time.Minute, 10*time.Minute, time.Hour)
		s.o.Dimensions = pick(m.Rand, o.Dimensions, o.Dimensions, counts.Dimensions(), nil)
		if !goesOn(t, s, fmt.Sprintf("case %d: %s", n, what), mutated, now) {
			refused++
		}
	}
	t.Logf("%d of %d were refused", refused, *stateRuns)
}

func decodeGob(t *testing.T, n int, b []byte) (s *savedState, err error) {
	before := allocated()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("case %d: the gob panics: %v\n%s", n, p, debug.Stack())
			err = os.ErrInvalid
		}
		if got := allocated() - before; got > 64<<20 {
			t.Errorf("case %d: the gob allocates %d MB", n, got>>20)
		}
	}()
	return decodePayload(b)
}

// goesOn starts from a state and runs some cycles. It reports whether the state was accepted.
func goesOn(t *testing.T, s *story, what string, state *savedState, now time.Time) (accepted bool) {
	t.Helper()
	before, begun := allocated(), time.Now()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s: panic: %v\n%.1500s", what, p, debug.Stack())
		}
		if got, took := allocated()-before, time.Since(begun); got > 256<<20 || took > 20*time.Second {
			t.Errorf("%s: %d MB were allocated in %v", what, got>>20, took)
		}
	}()
	if err := s.state.write(state); err != nil {
		t.Fatal(err)
	}
	s.clock.set(now)
	r, err := newRig(s.o, time.UTC, s.end, 0, s.clock, s.sim.Transport(), s.as...)
	if err != nil {
		return false
	}
	for _, d := range []time.Duration{2, 12, 40, 202, 26 * 60} {
		r.cycle(now.Add(d * time.Minute))
	}
	return true
}
