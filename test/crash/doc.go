// Package crash tests that the built binary counts each request once, through kills, outages, late
// requests and oversize responses.
//
// The binary is built with the tag abs_fastclock and lives in a time that runs some thousand times
// faster, as does the simulated ABS, which answers over real HTTP or HTTPS on loopback from inside
// the test. While it runs, it is killed by SIGKILL at instants drawn from a seed, some of them
// during a save of the state, and started again on the same state directory; /metrics is scraped
// all the while. In the end the counters must equal the simulator's truth, and none may ever have
// fallen.
//
// What CI runs lasts some three minutes. The longer form is run by hand:
//
//	go test ./crash -run TestKilled -crash.hours 336 -crash.kills 2000 -timeout 60m
//
// -crash.seed draws other instants, another traffic and other faults; -crash.logs keeps what the
// exporters logged, at the level debug.
package crash
