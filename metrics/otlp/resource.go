package otlp

import (
	"maps"
	"slices"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// scopeName is the instrumentation scope of everything that is pushed.
const scopeName = "github.com/abs-exporter/abs-exporter"

// Identity is who pushes.
type Identity struct {
	Version string // service.version and the scope's version
	// Instance is service.instance.id where the configuration gives none. Prometheus makes its label instance from it, so
	// that it should outlive a restart.
	Instance string
}

// Resource is the attributes that every push bears: those of the configuration, and the exporter's own where the
// configuration has none.
func (c *Config) Resource(id Identity) map[string]string {
	attributes := map[string]string{
		string(semconv.ServiceNameKey):       "abs-exporter",
		string(semconv.ServiceVersionKey):    id.Version,
		string(semconv.ServiceInstanceIDKey): id.Instance,
	}
	maps.Copy(attributes, c.Attributes)
	maps.DeleteFunc(attributes, func(_, v string) bool { return v == "" })
	return attributes
}

// encodeResource is a Resource message.
func encodeResource(attributes map[string]string) []byte {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		b = appendStringAttribute(b, fieldResourceAttributes, name, attributes[name])
	}
	return b
}

// encodeScope is an InstrumentationScope message.
func encodeScope(version string) []byte {
	b := appendString(nil, fieldScopeName, scopeName)
	return appendString(b, fieldScopeVersion, version)
}
