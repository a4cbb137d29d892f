package statusv1

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of docs/http.md anew")

// docs/http.md has a table of the members of each object, as they are.
func TestReference(t *testing.T) {
	const path, begin, end = "../../../docs/http.md", "<!-- begin members -->\n", "<!-- end members -->\n"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(data), begin)
	members, after, found := strings.Cut(rest, end)
	if !found {
		t.Fatalf("%s lacks the marks of the tables", path)
	}
	var tables strings.Builder
	describe(t, &tables, "", reflect.TypeFor[Status]())
	if want := "\n" + tables.String() + "\n"; members != want {
		if !*update {
			t.Fatalf("the tables of %s are not current: make docs", path)
		}
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// describe writes the table of an object's members, and those of the objects in it.
func describe(t *testing.T, b *strings.Builder, name string, object reflect.Type) {
	t.Helper()
	if name != "" {
		fmt.Fprintf(b, "\n**`%s`**\n\n", name)
	}
	b.WriteString("| member | type | meaning |\n|---|---|---|\n")
	var inner []reflect.StructField
	for i := range object.NumField() {
		f := object.Field(i)
		kind, isObject := kindOf(f.Type)
		if isObject {
			inner = append(inner, f)
		}
		if f.Tag.Get("doc") == "" || f.Tag.Get("json") == "" {
			t.Errorf("%s.%s has no name or no meaning", object, f.Name)
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", f.Tag.Get("json"), kind, f.Tag.Get("doc"))
	}
	for _, f := range inner {
		child := name + f.Tag.Get("json")
		if f.Type.Kind() == reflect.Slice {
			f.Type = f.Type.Elem()
			child += "[]"
		}
		if name != "" {
			child = name + "." + strings.TrimPrefix(child, name)
		}
		describe(t, b, child, f.Type)
	}
}

func kindOf(of reflect.Type) (kind string, isObject bool) {
	switch {
	case of.Kind() == reflect.Pointer:
		kind, isObject = kindOf(of.Elem())
		return kind + " or null", isObject
	case of.String() == "time.Time":
		return "time", false
	case of.Kind() == reflect.Slice:
		kind, isObject = kindOf(of.Elem())
		return strings.Replace("list of "+kind, "an object", "objects", 1), isObject
	case of.Kind() == reflect.Struct:
		return "an object", true
	case of.Kind() == reflect.String:
		return "text", false
	case of.Kind() == reflect.Bool:
		return "boolean", false
	default:
		return "number", false
	}
}
