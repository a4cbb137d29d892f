package main

import (
	"os"

	"github.com/abs-exporter/abs-exporter/abs"
)

// The keys of ABS come from files or from these variables. They are no flags, because
// every user of a machine can read the command lines of all processes.
const (
	envAccessKey = envPrefix + "_ABS_ACCESS_KEY"
	envSecretKey = envPrefix + "_ABS_SECRET_KEY"
)

// readKeys finds the keys of a target and reads them once, so that a wrong name or an
// unusable key is told before anything is asked of ABS. Files go before variables.
func (f absFlags) readKeys(i int, p *problems) abs.Keys {
	switch {
	case f.AccessKeyFile != "" && f.SecretKeyFile == "":
		p.atf(i, "abs.secret-key-file", "is missing beside abs.access-key-file")
		return nil
	case f.AccessKeyFile == "" && f.SecretKeyFile != "":
		p.atf(i, "abs.access-key-file", "is missing beside abs.secret-key-file")
		return nil
	case f.AccessKeyFile != "":
		keys := abs.FileKeys(f.AccessKeyFile, f.SecretKeyFile)
		if _, _, err := keys.Keys(); err != nil {
			p.atf(i, "abs.access-key-file", "%s", err)
		}
		return keys
	}
	access, secret := os.Getenv(envAccessKey), os.Getenv(envSecretKey)
	switch {
	case access == "" && secret == "":
		p.atf(i, "abs.access-key-file", "is missing: give --abs.access-key-file and --abs.secret-key-file, or the variables %s and %s", envAccessKey, envSecretKey)
		return nil
	case access == "":
		p.atf(i, "abs.access-key-file", "%s is set, but not %s", envSecretKey, envAccessKey)
		return nil
	case secret == "":
		p.atf(i, "abs.secret-key-file", "%s is set, but not %s", envAccessKey, envSecretKey)
		return nil
	}
	keys := abs.StaticKeys(access, secret)
	if _, _, err := keys.Keys(); err != nil {
		p.atf(i, "abs.access-key-file", "%s and %s: %s", envAccessKey, envSecretKey, err)
	}
	return keys
}
