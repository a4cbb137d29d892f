package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// control adds the paths that no ABS has.
func (s *Simulator) control(mux *http.ServeMux) {
	handle := func(pattern string, get func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := get(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = writeJSON(w, v) // the client may be gone
		})
	}
	handle("GET /simulator/truth", func(r *http.Request) (any, error) {
		t, err := times(r, "from", "to", "at")
		switch {
		case err != nil:
			return nil, err
		case t[0].IsZero() || t[1].IsZero():
			return nil, errors.New("from and to are expected")
		case t[2].IsZero():
			return s.Truth(t[0], t[1]), nil
		}
		return s.TruthVisible(t[0], t[1], t[2]), nil
	})
	handle("GET /simulator/attacks", func(r *http.Request) (any, error) {
		t, err := times(r, "from", "to")
		if err != nil {
			return nil, err
		}
		if t[1].IsZero() {
			t[1] = s.cfg.Now()
		}
		if t[0].IsZero() {
			t[0] = t[1].Add(-time.Second)
		}
		return append([]Attack{}, s.Attacks(t[0], t[1])...), nil // [] rather than null
	})
	handle("GET /simulator/stats", func(*http.Request) (any, error) { return s.Stats(), nil })
	handle("GET /simulator/faults", func(*http.Request) (any, error) { return s.Faults(), nil })
	mux.HandleFunc("DELETE /simulator/faults", func(w http.ResponseWriter, _ *http.Request) {
		_ = s.SetFaults() // none can't be wrong
		w.WriteHeader(http.StatusNoContent)
	})
	handle("PUT /simulator/faults", func(r *http.Request) (any, error) {
		var faults []Fault
		if err := json.NewDecoder(r.Body).Decode(&faults); err != nil {
			return nil, fmt.Errorf("expected a JSON array of faults: %w", err)
		}
		if err := s.SetFaults(faults...); err != nil {
			return nil, err
		}
		return s.Faults(), nil
	})
}

// times returns the times in a query, zero where there is none.
func times(r *http.Request, names ...string) ([]time.Time, error) {
	out := make([]time.Time, len(names))
	for i, name := range names {
		v := r.URL.Query().Get(name)
		if v == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, v)
		if err != nil {
			return nil, fmt.Errorf("%s is expected as in 2006-01-02T15:04:05Z", name)
		}
		out[i] = t
	}
	return out, nil
}
