// Package alerts tests the rules, the Alertmanager example and the runbooks: they fit the table of
// metrics and each other, and an attack in a simulated ABS becomes one page.
package alerts
