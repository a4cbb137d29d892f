package absstate

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/abs-exporter/abs-exporter/abs/admin"
)

// A text that is cut does not keep the long one in memory.
func TestCutNamesCopies(t *testing.T) {
	long := strings.Repeat("a", 1<<20)
	a := admin.Report{
		License: admin.License{Tier: long}, Timezone: long,
		APIs: []admin.API{{Name: long, Type: long}}, Nodes: []admin.Node{{Name: long, OS: long}}, MongoDB: []admin.MongoDB{{Name: long}},
	}
	CutNames(&a)
	for i, text := range []string{a.License.Tier, a.Timezone, a.APIs[0].Name, a.APIs[0].Type, a.Nodes[0].Name, a.Nodes[0].OS, a.MongoDB[0].Name} {
		if len(text) == 0 || len(text) > 128 || unsafe.StringData(text) == unsafe.StringData(long) {
			t.Errorf("text %d has %d bytes, or is part of the long one", i, len(text))
		}
	}
}
