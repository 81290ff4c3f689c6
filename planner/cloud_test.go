package planner

import (
	"errors"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

func TestGuardCloud(t *testing.T) {
	null := cty.NullVal(cty.Number)
	policy := func(engine string, action Action) *Change {
		return &Change{Address: "sync_policy.p", Type: "sync_policy", Action: action, After: policyValue(engine, null)}
	}
	app := &Change{Address: "app_registration.a", Type: "app_registration", Action: Create, After: cty.EmptyObjectVal}
	other := &Change{Address: "domain.d", Type: "domain", Action: Create, After: cty.EmptyObjectVal}
	gone := &Change{Address: "app_registration.a", Type: "app_registration", Action: Delete, After: cty.NilVal}
	failed := errors.New("503")
	for _, row := range []struct {
		name      string
		changes   []*Change
		cloud     string
		err, read error // why cloud and directory are unknown
		destroy   bool
		fails     string // in the error; "" for none
		notes     bool
	}{
		{name: "worldwide", changes: []*Change{policy("weir", Create), app}},
		{name: "GCC", changes: []*Change{policy("weir", Create), app}, cloud: "GCC"},
		{name: "a part that nobody knows", changes: []*Change{policy("weir", Create)}, cloud: "NEW"},
		{name: "GCC High", changes: []*Change{policy("weir", Create)}, cloud: "DODCON", fails: "in GCC High, which Essentials does not support (R2), and this asks for it: sync_policy.p."},
		{name: "hosted", changes: []*Change{policy("essentials", Update)}, cloud: "DODCON", fails: "sync_policy.p"},
		{name: "nothing new", changes: []*Change{policy("essentials", NoOp)}, cloud: "DODCON", fails: "sync_policy.p"},
		{name: "the application alone", changes: []*Change{app, policy("none", Create)}, cloud: "DODCON", fails: "this asks for it: app_registration.a."},
		{name: "both", changes: []*Change{policy("weir", Create), app}, cloud: "DOD", fails: "Department of Defense, which Essentials does not support (R2), and this asks for it: app_registration.a, sync_policy.p."},
		{name: "a government's", changes: []*Change{policy("weir", Create)}, cloud: "USGOV", fails: "US government"},
		{name: "no sync", changes: []*Change{policy("none", Create), other}, cloud: "DODCON"},
		{name: "nothing asks", changes: []*Change{other, gone, policy("weir", Release)}, cloud: "DODCON"},
		{name: "taken down", changes: []*Change{policy("weir", NoOp)}, cloud: "DODCON", destroy: true},
		{name: "unknown", changes: []*Change{policy("weir", Create)}, err: failed, notes: true},
		{name: "unknown, and nothing asks", changes: []*Change{other}, err: failed},
		{name: "unknown like the directory", changes: []*Change{policy("weir", Create)}, err: failed, read: failed},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := &Part{Changes: row.changes}
			refused := p.guardCloud(&Request{Destroy: row.destroy, Observed: &Observation{Cloud: row.cloud, CloudErr: row.err, DirectoryErr: row.read}})
			text := strings.Join(p.Errors, "\n")
			if (text != "") != (row.fails != "") || !strings.Contains(text, row.fails) || (len(p.Notes) > 0) != row.notes || len(p.Guards) > 0 ||
				refused != (row.fails != "") || refused != (len(p.Changes) == 0) {
				t.Errorf("errors %q, notes %v", p.Errors, p.Notes)
			}
			if p.conclude(nil); (p.Status == Errored) != (row.fails != "") {
				t.Errorf("status %v", p.Status)
			}
		})
	}
}
