package config

import (
	"fmt"
	"net"
	"os"

	"go.yaml.in/yaml/v3"
)

// Healthcheck is the command healthcheck. It has the flags of serve, so that it reads the same
// variables and configuration file, and asks the listener that they set.
type Healthcheck struct {
	Settings

	// Listener is the listener to ask.
	Listener HealthListener `kong:"-"`
}

// HealthListener is a listener that serves HealthPath.
type HealthListener struct {
	// Address is what it listens on: host:port, without a host on all addresses.
	Address string
	// TLS is set where it serves HTTPS, BasicAuth where it wants a password.
	TLS, BasicAuth bool
}

// validate validates the listeners only. Nothing else is needed to ask for the health: neither the
// keys of ABS nor its URL, which the demo does not have.
func (h *Healthcheck) validate(v *validation) {
	h.Web.validate(v)
	if len(v.errs) > 0 {
		return
	}
	name := "web.probe-address"
	h.Listener.Address = h.Web.ProbeAddress
	if h.Web.ProbeAddress == "" {
		name = "web.listen-address"
		h.Listener.Address = h.Web.ListenAddress[0]
		var err error
		if h.Listener.TLS, h.Listener.BasicAuth, err = protection(h.Web.Config.File); err != nil {
			v.failf("web.config.file", "%s", err)
		}
	}
	if _, port, _ := net.SplitHostPort(h.Listener.Address); port == "0" {
		v.failf(name, "%q leaves the port to the system, so the health cannot be asked for", h.Listener.Address)
	}
}

// protection reads from a file of --web.config.file, which is valid, what protects the listener.
func protection(name string) (tls, basicAuth bool, err error) {
	if name == "" {
		return false, false, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return false, false, err
	}
	var f struct {
		TLS   map[string]any `yaml:"tls_server_config"`
		Users map[string]any `yaml:"basic_auth_users"`
	}
	if err := yaml.Unmarshal(data, &f); err != nil {
		return false, false, fmt.Errorf("%s: %w", name, err)
	}
	return len(f.TLS) > 0, len(f.Users) > 0, nil
}
