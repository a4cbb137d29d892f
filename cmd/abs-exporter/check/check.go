// Package check asks an ABS the questions that its documentation leaves open, and answers them in
// plain words with the settings that follow.
package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/admin"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
)

// State is the result of a question.
type State string

// The states.
const (
	OK      State = "ok"      // nothing is to be done
	Fix     State = "fix"     // something is to be done, here or at ABS
	Unknown State = "unknown" // it could not be found out
)

// Setting is a flag of serve and the value to give it.
type Setting struct {
	Flag  string `json:"flag"`
	Value string `json:"value"`
}

// Answer is what a question found.
type Answer struct {
	ID       string    `json:"id"`
	Question string    `json:"question"`
	State    State     `json:"state"`
	Found    []string  `json:"found"` // sentences
	Set      []Setting `json:"set"`

	notAsked string // why, where an earlier answer made it pointless
}

func (a *Answer) found(format string, args ...any) {
	a.Found = append(a.Found, fmt.Sprintf(format, args...))
}

// fix says that something is to be done. It outranks every other state.
func (a *Answer) fix(format string, args ...any) {
	a.State = Fix
	a.found(format, args...)
}

func (a *Answer) unknown(format string, args ...any) {
	a.State = cmp.Or(a.State, Unknown)
	a.found(format, args...)
}

func (a *Answer) set(flag, value string) { a.Set = append(a.Set, Setting{"--" + flag, value}) }

// question is one question. ask gathers what is needed and fills in the answer; a state that it
// leaves open is OK.
type question struct {
	id, text string
	ask      func(*inspection, context.Context, *Answer)
	// offline questions need no request; the others are not asked without a connection.
	offline bool
}

// questions are asked in this order: the later ones use what the earlier ones found.
var questions = []question{
	{"configuration", "Is the configuration sound?", (*inspection).configuration, true},
	{"default_keys", "Are the keys those that ABS ships with?", (*inspection).defaultKeys, true},
	{"reached", "Is ABS reached, and through which proxy?", (*inspection).reached, true},
	{"certificate", "Is its certificate trusted?", (*inspection).certificate, true},
	{"keys", "Does ABS accept the keys, and whose are they?", (*inspection).keys, true},
	{"clock", "Do the clocks agree?", (*inspection).clock, false},
	{"licence", "Is the licence valid?", (*inspection).licence, false},
	{"training", "On which APIs does ABS detect attacks?", (*inspection).training, false},
	{"tokens_tracked", "On which APIs does ABS track tokens?", (*inspection).tracking, false},
	{"time_zone", "Is the time zone that of ABS?", (*inspection).timeZone, false},
	{"lateness", "How late is the data, and do the times fit?", (*inspection).lateness, false},
	{"window_end", "Is the minute of later_date in a window, and do windows add up?", (*inspection).windowEnd, false},
	{"size", "How large is a report, how long does it take, and what does the cap do?", (*inspection).size, false},
	{"series", "How many tokens and series are there, and what do they cost a Prometheus?", (*inspection).series, false},
	{"attack_reports", "Which attack reports does ABS give, and in what shape?", (*inspection).attackReports, false},
	{"unknown_token", "How is a token answered that ABS does not know?", (*inspection).unknownToken, false},
	{"future_window", "How is a window in the future answered?", (*inspection).futureWindow, false},
	{"inverted_window", "How is a window answered that ends before it begins?", (*inspection).invertedWindow, false},
}

// offlineQuestions is how many of the questions belong to --offline.
const offlineQuestions = 2

// inspection is one target while it is asked.
type inspection struct {
	target   *config.Target
	settings *config.Settings
	now      func() time.Time
	asker    *asker

	stopped string // why nothing more is asked; "" goes on
	first   reading
	ahead   time.Duration // ABS's clock less ours
	admin   *adminAnswer
	zoned   bool          // a wrong time zone was found: distances to the present are wrong
	age     age           // of the newest requests
	census  *census       // of the longest report that was read, up to --collect.window; nil: of none
	of      time.Duration // its window
	api     string        // an API to ask about
}

// adminAnswer is the admin report, or why there is none.
type adminAnswer struct {
	admin.Report
	err error
}

// Result is the answers of one target.
type Result struct {
	Target  string   `json:"target"`
	URL     string   `json:"url"`
	Answers []Answer `json:"answers"`
	Calls   int      `json:"calls"` // requests that were sent

	restricted bool
	exchanges  []exchange
}

// count returns how many answers have a state.
func (r *Result) count(s State) (n int) {
	for i := range r.Answers {
		if r.Answers[i].State == s {
			n++
		}
	}
	return n
}

// errToFix ends a check that found something.
var errToFix = errors.New("something is to be fixed")

// Command is the command check: it asks every target and prints the answers. agent is the value of
// the header User-Agent. An error is returned if something is to be fixed.
func Command(ctx context.Context, c *config.Check, agent string, now func() time.Time, stdout, stderr io.Writer) error {
	p := newProgress(stderr)
	defer p.clear()
	var results []*Result
	for i := range c.Targets {
		r, err := inspect(ctx, &c.Settings, &c.Targets[i], c.Offline, agent, now, p)
		if err != nil {
			return fmt.Errorf("target %s: %w", c.Targets[i].Name, err)
		}
		results = append(results, r)
	}
	p.clear()
	if err := printResults(stdout, results, c.Output == "json"); err != nil {
		return err
	}
	if c.Report != "" {
		if err := writeBundle(c.Report, agent, &c.Settings, results); err != nil {
			return fmt.Errorf("--report: %w", err)
		}
	}
	for _, r := range results {
		if r.count(Fix) > 0 {
			return errToFix
		}
	}
	return nil
}

// inspect asks one target.
func inspect(
	ctx context.Context, s *config.Settings, t *config.Target, offline bool, agent string, now func() time.Time, p *progress,
) (*Result, error) {
	a, err := newAsker(t, agent, now, p)
	if err != nil {
		return nil, err
	}
	defer a.close()
	i := &inspection{target: t, settings: s, now: now, asker: a}
	asked := questions
	if offline {
		asked = asked[:offlineQuestions]
	}
	r := &Result{Target: t.Name, URL: t.URL, restricted: t.Restricted()}
	for _, q := range asked {
		answer := Answer{ID: q.id, Question: q.text, Set: []Setting{}}
		a.question = q.id
		if i.stopped != "" && !q.offline {
			answer.notAsked = i.stopped
			answer.unknown("Not asked: %s.", i.stopped)
		} else {
			q.ask(i, ctx, &answer)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		answer.State = cmp.Or(answer.State, OK)
		r.Answers = append(r.Answers, answer)
	}
	r.Calls, r.exchanges = a.sent, a.exchanges
	return r, nil
}

// present is the present by ABS's clock, whole minutes.
func (i *inspection) present() time.Time { return i.now().Add(i.ahead).Truncate(time.Minute) }

// settled is the end of what ABS adds no requests to any more.
func (i *inspection) settled() time.Time {
	return i.present().Add(-i.target.Collect.Settle).Truncate(10 * time.Minute)
}

// tooLarge reports whether a shorter window may be answered.
func tooLarge(err error) bool {
	e := (*abs.Error)(nil)
	return errors.As(err, &e) && e.TooLong()
}
