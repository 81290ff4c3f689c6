package planner

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// TestTwoBlocksForOneObject: of what a tenant has one of, one block may be. The same block may be planned again, and blocks
// of other types may be many.
func TestTwoBlocksForOneObject(t *testing.T) {
	table := []resource.Attribute{{Name: "engine", Type: cty.String, Optional: true}}
	typ := func(name string, single bool) *resource.Type {
		return &resource.Type{Name: name, Singleton: single, Attributes: table, Key: func(cty.Value) string { return "" }}
	}
	for _, row := range []struct {
		name    string
		single  bool
		blocks  []string
		refused string
	}{
		{"one", true, []string{"a"}, ""},
		{"one, planned again", true, []string{"a", "a"}, ""},
		{"two", true, []string{"a", "b"}, "thing.a and thing.b"},
		{"two of what a tenant has many of", false, []string{"a", "b"}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			objects := NewObjects(&Request{Tenant: resource.Identity{Key: "x"}, Prior: &state.State{}, Observed: &Observation{Objects: map[string]Reading{"thing": {}}}})
			said := ""
			for _, name := range row.blocks {
				address, err := resource.ParseAddress("thing." + name)
				if err != nil {
					t.Fatal(err)
				}
				_, diags := objects.Plan(&config.Instance{Address: address, Type: typ("thing", row.single), Config: cty.ObjectVal(resource.Null(table))})
				if diags.HasErrors() {
					said += diags.Error()
				}
			}
			if (said == "") != (row.refused == "") || !strings.Contains(said, row.refused) {
				t.Errorf("said %q", said)
			}
		})
	}
}
