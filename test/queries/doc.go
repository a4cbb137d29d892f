// Package queries turns a PromQL query, of a rule or a panel, into what is wrong with it by the
// table of metrics: names, labels and label values that do not exist, counters and gauges mistaken
// for each other.
package queries
