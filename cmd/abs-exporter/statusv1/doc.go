// Package statusv1 is the JSON of /api/v1/status: what the status page shows, for programs.
package statusv1
