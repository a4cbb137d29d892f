package pages

import (
	"net/http"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxProfile is how long a CPU profile may last: less than the time limit of an answer.
const maxProfile = time.Minute

// profileNames answers with the names of all profiles, a line each.
func profileNames(w http.ResponseWriter, _ *http.Request) {
	names := []string{"profile"}
	for _, p := range pprof.Profiles() {
		names = append(names, p.Name())
	}
	slices.Sort(names)
	plain(w, http.StatusOK, strings.Join(names, "\n")+"\n")
}

// profile answers with a profile of Go's, such as heap, or with profile, which is that of the CPU.
// net/http/pprof would open itself on the default mux, and show the command line.
func profile(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	name := r.PathValue("name")
	if name == "profile" {
		cpuProfile(w, r)
		return
	}
	found := pprof.Lookup(name)
	if found == nil {
		plain(w, http.StatusNotFound, "there is no such profile\n")
		return
	}
	debug, _ := strconv.Atoi(r.FormValue("debug")) // without it, the binary format
	w.Header().Set("Content-Type", "application/octet-stream")
	if debug > 0 {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	_ = found.WriteTo(w, debug) // the client is gone
}

func cpuProfile(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.Atoi(r.FormValue("seconds"))
	if err != nil || seconds <= 0 {
		seconds = 30 // as net/http/pprof has it
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if err := pprof.StartCPUProfile(w); err != nil {
		plain(w, http.StatusConflict, "another CPU profile is running\n")
		return
	}
	defer pprof.StopCPUProfile()
	select {
	case <-time.After(min(time.Duration(seconds)*time.Second, maxProfile)):
	case <-r.Context().Done():
	}
}
