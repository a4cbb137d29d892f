package abs

import "github.com/abs-exporter/abs-exporter/abs/reports"

// Package reports reads what the Client hands out.
type (
	// Row is the requests of one token.
	Row = reports.Row
	// Count is one entry of a row's lists.
	Count = reports.Count
	// Summary is what the oauthtokens report says of itself.
	Summary = reports.Summary
	// Clock is what an answer shows of ABS's clock.
	Clock = reports.Clock
	// Oddities are what is odd about an answer that was read all the same.
	Oddities = reports.Oddities
	// Skipped are the rows of a report that were left out.
	Skipped = reports.Skipped
	// Forensics is the report about one token.
	Forensics = reports.Forensics
	// Finding is one attack or anomaly type of it.
	Finding = reports.Finding
	// FlaggedToken is a token that the attack report names.
	FlaggedToken = reports.FlaggedToken
	// AttackSummary is what was found in an attack list or an attack report.
	AttackSummary = reports.AttackSummary
)
