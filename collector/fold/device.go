package fold

import (
	"strings"

	"github.com/mileusna/useragent"
)

// maxAgent is how many bytes of a user agent are read: those of browsers are 100 to 250 long.
const maxAgent = 512

// unknown is ABS's own name for a device that it does not know.
const unknown = "UNKNOWN"

// Device returns the family of a device as ABS reports it. ABS's own names, such as LINUX, are
// their own families. Of a user agent it is the product that comes first, without its version;
// where that is Mozilla, which all browsers and many bots begin with, it is the browser or bot. A
// family is its own family.
func Device(device string) string {
	if len(device) > maxAgent {
		device = device[:maxAgent]
	}
	name := device
	if strings.HasPrefix(name, "Mozilla/") {
		name = useragent.Parse(name).Name
	}
	if i := strings.IndexAny(name, "/("); i >= 0 {
		name = name[:i]
	}
	name = strings.TrimSpace(strings.ToValidUTF8(name, ""))
	for i := strings.LastIndexByte(name, ' '); i > 0 && isVersion(name[i+1:]); i = strings.LastIndexByte(name, ' ') {
		name = strings.TrimSpace(name[:i])
	}
	if name == "" && device != "" {
		return unknown
	}
	return name
}

// isVersion reports whether a word is a version, such as 1.0 or v2.3.1. A number without a dot is
// part of a name: Windows 10.
func isVersion(word string) bool {
	word = strings.TrimPrefix(word, "v")
	return strings.Contains(word, ".") && strings.Trim(word, "0123456789.") == ""
}
