//go:build abs_fastclock

package main

import (
	"fmt"
	"testing"
	"time"
)

func TestFastClock(t *testing.T) {
	epoch := time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC)
	t.Setenv(envTestClock, fmt.Sprintf("%s,3600,%d", epoch.Format(time.RFC3339), time.Now().Add(-2*time.Second).UnixNano()))
	clock := newClock()
	if passed := clock.Now().Sub(epoch); passed < 2*time.Hour || passed > 12*time.Hour {
		t.Errorf("after two seconds at 3600 it shows %v more", passed)
	}
	before := time.Now()
	if err := clock.Sleep(t.Context(), time.Hour); err != nil || time.Since(before) < time.Second {
		t.Errorf("an hour of sleep took %v of real time, %v", time.Since(before), err)
	}
	for _, bad := range []string{"x", "2026-03-29T00:00:00Z,0,0", "2026-03-29T00:00:00Z,1,x", "yesterday,1,0"} {
		t.Setenv(envTestClock, bad)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is accepted", bad)
				}
			}()
			newClock()
		}()
	}
}
