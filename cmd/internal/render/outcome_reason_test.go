package render

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/weir-project/weir/planner/apply"
	"github.com/weir-project/weir/providers/resource"
)

// TestOutcomesSayAReasonOnce: eighty accounts that one limit holds have one reason, and two of another have it each.
func TestOutcomesSayAReasonOnce(t *testing.T) {
	r := &apply.Report{}
	for i := range 80 {
		if i == 1 || i == 2 {
			r.Held = append(r.Held, apply.Item{Address: fmt.Sprintf("other%d", i), Text: "protected"})
		}
		r.Held = append(r.Held, apply.Item{Address: fmt.Sprintf("account%02d", i), Text: "80 addresses would stop receiving"})
	}
	var b bytes.Buffer
	if err := Outcomes(&b, []Outcome{{Tenant: resource.Identity{Key: "contoso"}, Report: r}}, Options{}); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	for text, want := range map[string]int{
		"80 addresses would stop receiving\n": 1, "    - account": 18, "    - account17\n": 1, "account18": 0, "    - other1: protected\n": 1, "    - other2: protected\n": 1, "… and 62 more": 1, "Held by a guard: 82": 1,
	} {
		if n := strings.Count(out, text); n != want {
			t.Errorf("%q is there %d times, want %d", text, n, want)
		}
	}

	// The twin: where only two have it, it stands with each.
	b.Reset()
	r.Held = r.Held[:4]
	if err := Outcomes(&b, []Outcome{{Tenant: resource.Identity{Key: "contoso"}, Report: r}}, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"- account00: 80 addresses", "- other1: protected", "- account01: 80 addresses", "- other2: protected"} {
		if !strings.Contains(b.String(), text) {
			t.Errorf("no %q in\n%s", text, b.String())
		}
	}
}
