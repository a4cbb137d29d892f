package config

import "os"

// Check is the command check. It has the flags of serve, so that it asks what serve would be
// started with. Its own belong to one call, so they are neither variables nor keys of the file.
type Check struct {
	Settings

	Offline bool   `group:"check" env:"-" help:"Validate the configuration only, and send no request."`
	Output  string `default:"text" enum:"text,json" group:"check" env:"-" help:"Format of the output: text or json."`
	Report  string `placeholder:"FILE" group:"check" env:"-" help:"Write what was asked and answered into a new file, for the maintainers: shapes, sizes, statuses and times, without any value, name or address. An existing file is not overwritten."`
}

func (c *Check) validate(v *validation) {
	c.Settings.validate(v)
	if c.Report == "" {
		return
	}
	switch _, err := os.Lstat(c.Report); {
	case c.Offline:
		v.failf("report", "has nothing to report beside --offline")
	case err == nil:
		v.failf("report", "%s exists, and is not overwritten", c.Report)
	case !os.IsNotExist(err):
		v.failf("report", "%s", err)
	}
}
