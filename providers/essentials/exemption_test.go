package essentials

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/resourcetest"
)

func exemptionBlock(addresses ...string) cty.Value {
	return block(exemptionTable, map[string]cty.Value{"addresses": stringSet(addresses...), "reason": cty.StringVal("test")})
}

func TestExemptionConforms(t *testing.T) {
	for _, asObject := range []string{"false", "true"} {
		t.Run("object "+asObject, func(t *testing.T) {
			resourcetest.Run(t, resourcetest.Harness{
				Type: exemptionType(), Foreign: 1,
				Open: func(t testing.TB) *resourcetest.Backend {
					v := newVendor(t, true)
					if err := v.world.Portal([]byte(`{"switches":{"exemptions_as_object":` + asObject + `}}`)); err != nil {
						t.Fatal(err)
					}
					if err := v.portal("exemptions", map[string]any{"add": []string{"foreign@contoso.example"}}); err != nil {
						t.Fatal(err)
					}
					return v.backend(func(path string, value cty.Value) error {
						if path != "protects" {
							return unknownPath(path)
						}
						return v.portal("exemptions", append(native(value).([]string), "foreign@contoso.example"))
					},
						func() error {
							return v.portal("exemptions", map[string]any{"remove": []string{"alice@contoso.example", "bob@contoso.example"}})
						})
				},
				Config:  exemptionBlock("Alice@contoso.example", "bob@contoso.example"),
				Second:  exemptionBlock("carol@contoso.example"),
				Changes: []resourcetest.Change{{Path: "addresses", Shows: "protects", Value: stringSet("alice@contoso.example")}},
				Skip:    map[string]string{"addresses:unmanaged": "an exemption names somebody", "addresses:empty": "an exemption names somebody"},
			})
		})
	}
}

func TestExemptionsAreAddedAndRemovedOneByOne(t *testing.T) {
	ctx := context.Background()
	typ := exemptionType()
	v := newVendor(t, true)
	list := func() []string { return v.world.Organization("contoso.example").Exemptions }
	if err := v.portal("exemptions", []string{"foreign@contoso.example", "old@contoso.example"}); err != nil {
		t.Fatal(err)
	}
	value := func(addresses ...string) cty.Value {
		return resource.With(cty.NullVal(typ.Object()), "protects", stringSet(addresses...))
	}
	live, err := typ.Update(ctx, v.conn, &resource.Change{ID: exemptionsID, Prior: value("old@contoso.example"), Planned: value("new@contoso.example")})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"foreign@contoso.example", "new@contoso.example"}; !reflect.DeepEqual(list(), want) {
		t.Errorf("exempt are %q, want %q", list(), want)
	}
	if got, _ := resource.Words(live.Value, "protects"); !reflect.DeepEqual(got, []string{"new@contoso.example"}) {
		t.Errorf("the block's part is %q", got)
	}
	if err := typ.Delete(ctx, v.conn, &resource.Change{ID: exemptionsID, Prior: value("new@contoso.example", "gone@contoso.example")}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"foreign@contoso.example"}; !reflect.DeepEqual(list(), want) {
		t.Errorf("exempt are %q, want %q", list(), want)
	}
	// An exclusive block takes the whole list.
	exclusive := resource.With(value("new@contoso.example"), "ownership", cty.StringVal("exclusive"))
	all, err := typ.List(ctx, v.conn)
	if err != nil {
		t.Fatal(err)
	}
	part, ok := typ.Project(all[0], exclusive, cty.NullVal(typ.Object()))
	if !ok {
		t.Fatal("an exclusive block does not claim the list")
	}
	if _, err := typ.Update(ctx, v.conn, &resource.Change{ID: part.ID, Prior: part.Value, Planned: exclusive}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"new@contoso.example"}; !reflect.DeepEqual(list(), want) {
		t.Errorf("exempt are %q, want %q", list(), want)
	}
}

func TestExemptionDriftIsSeenAndRepaired(t *testing.T) {
	ctx := context.Background()
	typ := exemptionType()
	v := newVendor(t, true)
	planned := resource.With(exemptionBlock("a@contoso.example", "b@contoso.example"), "protects", stringSet("a@contoso.example", "b@contoso.example"))
	if _, err := typ.Create(ctx, v.conn, &resource.Change{Planned: planned, Prior: cty.NullVal(typ.Object())}); err != nil {
		t.Fatal(err)
	}
	if err := v.portal("exemptions", map[string]any{"remove": []string{"b@contoso.example"}}); err != nil {
		t.Fatal(err)
	}
	differs := func() (resource.Live, []string) {
		all, err := typ.List(ctx, v.conn)
		if err != nil {
			t.Fatal(err)
		}
		part, _ := typ.Project(all[0], planned, planned)
		return part, resource.Differences(exemptionTable, planned, part.Value)
	}
	part, paths := differs()
	if !reflect.DeepEqual(paths, []string{"protects"}) {
		t.Fatalf("drift %q", paths)
	}
	if _, err := typ.Update(ctx, v.conn, &resource.Change{ID: part.ID, Prior: part.Value, Planned: planned, Paths: paths}); err != nil {
		t.Fatal(err)
	}
	if _, paths := differs(); len(paths) != 0 {
		t.Errorf("after the repair: %q", paths)
	}
}

func TestExemptionWithoutSettings(t *testing.T) {
	v := newVendor(t, true)
	v.conn.Tenant.PrimaryDomain = "nowhere.example"
	if all, err := exemptionType().List(context.Background(), v.conn); err != nil || len(all) != 0 {
		t.Errorf("no organization: %v, %v", all, err)
	}
}

// people is a directory of groups.
type people map[string][]string

func (p people) GroupMembers(name string) ([]string, error) {
	members, ok := p[name]
	if !ok {
		return nil, fmt.Errorf("no group of that name")
	}
	return members, nil
}

func (p people) Matching(match func(any) (bool, error)) ([]string, error) {
	var out []string
	for _, name := range []string{"x@contoso.example", "y@contoso.example"} {
		ok, err := match(&directory.Entry{Address: name})
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, name)
		}
	}
	return out, nil
}

type isX struct{ err error }

func (isX) Text() string                             { return `entry.address == "x@contoso.example"` }
func (p isX) Match(e *directory.Entry) (bool, error) { return e.Address == "x@contoso.example", p.err }

func TestExemptionCustomize(t *testing.T) {
	s := cty.StringVal
	typ := exemptionType()
	none := cty.NullVal(typ.Object())
	was := func(named []string, protects ...string) cty.Value {
		return block(exemptionTable, map[string]cty.Value{"addresses": stringSet(named...), "protects": stringSet(protects...)})
	}
	group := map[string]cty.Value{"groups": stringSet("VIP")}
	many := []string{"1@c.example", "2@c.example", "3@c.example", "4@c.example", "5@c.example"}
	for _, row := range []struct {
		name    string
		written map[string]cty.Value
		prior   cty.Value
		facts   resource.DirectoryFacts
		want    []string
		waits   int
		err     string
	}{
		{"addresses", map[string]cty.Value{"addresses": stringSet("B@c.example", "a@c.example")}, none, nil, []string{"a@c.example", "b@c.example"}, 0, ""},
		{"nobody", nil, none, nil, nil, 0, "names nobody"},
		{"no address", map[string]cty.Value{"addresses": stringSet("bob")}, none, nil, nil, 0, "e-mail"},
		{"group", group, none, people{"VIP": {"v@c.example"}}, []string{"v@c.example"}, 0, ""},
		{"missing group", group, was(nil, "v@c.example"), people{}, []string{"v@c.example"}, 1, ""},
		{"unreadable directory", group, was(nil, "v@c.example"), nil, []string{"v@c.example"}, 1, ""},
		{"suddenly shrunken group", group, was(nil, many...), people{"VIP": {"1@c.example"}}, many, 1, ""},
		{"slowly shrinking group", group, was(nil, many...), people{"VIP": many[:4]}, many[:4], 0, ""},
		{"addresses taken out", map[string]cty.Value{"addresses": stringSet("1@c.example")}, was(many, many...), nil, many[:1], 0, ""},
		{"predicate", map[string]cty.Value{"when": directory.PredicateValue(isX{})}, none, people{}, []string{"x@contoso.example"}, 0, ""},
		{"failing predicate", map[string]cty.Value{"when": directory.PredicateValue(isX{errors.New("bad")})}, was(nil, "y@contoso.example"), people{}, []string{"y@contoso.example"}, 1, ""},
		{"pattern", map[string]cty.Value{"patterns": stringSet("X*@contoso.example")}, none, people{}, []string{"x@contoso.example"}, 0, ""},
		{"pattern and address", map[string]cty.Value{"patterns": stringSet("x*@contoso.example"), "addresses": stringSet("a@c.example")}, none, people{}, []string{"a@c.example", "x@contoso.example"}, 0, ""},
		{"pattern, unreadable directory", map[string]cty.Value{"patterns": stringSet("v*@c.example")}, was(nil, "v@c.example"), nil, []string{"v@c.example"}, 1, ""},
		{"suddenly nobody matches", map[string]cty.Value{"patterns": stringSet("v*@c.example")}, was(nil, many...), people{}, many, 1, ""},
		{"no pattern", map[string]cty.Value{"patterns": stringSet("*@*")}, none, people{}, nil, 0, "every address"},
		{"too many patterns", map[string]cty.Value{"patterns": tooMany()}, none, people{}, nil, 0, "at most 100"},
		{"past its end", map[string]cty.Value{"addresses": stringSet("a@c.example"), "expires": s("2026-01-01")}, none, nil, []string{"a@c.example"}, 1, ""},
		{"before its end", map[string]cty.Value{"addresses": stringSet("a@c.example"), "expires": s("2027-01-01")}, none, nil, []string{"a@c.example"}, 0, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			req := &resource.PlanRequest{Planned: block(exemptionTable, row.written), Prior: row.prior, Live: none, Directory: row.facts,
				Now: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)}
			err := typ.Customize(req)
			if row.err != "" {
				if err == nil || !strings.Contains(err.Error(), row.err) {
					t.Fatalf("error %v, want %q", err, row.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, _ := resource.Words(req.Planned, "protects")
			if !reflect.DeepEqual(got, row.want) || len(req.Waits) != row.waits {
				t.Errorf("protects %q, want %q; waits %q", got, row.want, req.Waits)
			}
		})
	}
}

func tooMany() cty.Value {
	var out []string
	for i := range 101 {
		out = append(out, fmt.Sprintf("svc%d-*@c.example", i))
	}
	return stringSet(out...)
}

// What others exempted stays, is only told of, or goes, as ownership says; what Weir itself put there for an account that
// it made functional always stays.
func TestExemptionOwnership(t *testing.T) {
	typ := exemptionType()
	live := resource.Live{ID: exemptionsID, Value: block(exemptionTable, map[string]cty.Value{"protects": stringSet("a@c.example", "kept@c.example", "theirs@c.example")})}
	for _, row := range []struct {
		ownership string
		planned   []string
		part      []string
		notes     []string
	}{
		{"additive", []string{"a@c.example", "b@c.example"}, []string{"a@c.example"}, nil},
		{"observe", []string{"a@c.example", "kept@c.example", "theirs@c.example"}, []string{"a@c.example", "kept@c.example", "theirs@c.example"},
			[]string{"exempts kept@c.example, theirs@c.example", "does not exempt b@c.example"}},
		{"exclusive", []string{"a@c.example", "b@c.example", "kept@c.example"}, []string{"a@c.example", "kept@c.example", "theirs@c.example"}, nil},
	} {
		t.Run(row.ownership, func(t *testing.T) {
			req := &resource.PlanRequest{
				Planned: block(exemptionTable, map[string]cty.Value{"addresses": stringSet("a@c.example", "b@c.example"), "ownership": cty.StringVal(row.ownership)}),
				Prior:   cty.NullVal(typ.Object()), Live: live.Value, Keep: []string{"gone@c.example", "kept@c.example"},
			}
			if err := typ.Customize(req); err != nil {
				t.Fatal(err)
			}
			got, _ := resource.Words(req.Planned, "protects")
			part, ok := typ.Project(live, req.Planned, req.Prior)
			have, _ := resource.Words(part.Value, "protects")
			if !ok || !reflect.DeepEqual(got, row.planned) || !reflect.DeepEqual(have, row.part) {
				t.Errorf("planned %q, its part of the list %q", got, have)
			}
			if len(req.Notes) != len(row.notes) {
				t.Fatalf("notes %q", req.Notes)
			}
			for i, note := range row.notes {
				if !strings.Contains(req.Notes[i], note) {
					t.Errorf("note %q does not say %q", req.Notes[i], note)
				}
			}
		})
	}
}

func TestWriterExemptsOneAddress(t *testing.T) {
	v := newVendor(t, true)
	if err := v.portal("exemptions", map[string]any{"add": []string{"foreign@contoso.example"}}); err != nil {
		t.Fatal(err)
	}
	w, err := NewWriter(v.conn)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	list := func() string {
		all, err := w.client.exemptions(ctx, w.org)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(all, " ")
	}
	for range 2 {
		if err := w.AddExemption(ctx, "Info@contoso.example"); err != nil {
			t.Fatal(err)
		}
	}
	if got := list(); got != "foreign@contoso.example info@contoso.example" {
		t.Errorf("exempt: %s", got)
	}
	for range 2 {
		if err := w.RemoveExemption(ctx, "info@contoso.example"); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.RemoveExemption(ctx, ""); !errors.Is(err, resource.ErrInvalid) {
		t.Errorf("an empty address, which would stand for the whole list: %v", err)
	}
	if got := list(); got != "foreign@contoso.example" {
		t.Errorf("exempt: %s", got)
	}
}

// TestExemptionsOfOthersStay: PUT adds to the list, says the vendor. Should it replace it, whoever was exempt before is put
// back, or the call fails: the hosted sync would delete the functional accounts of those who left (R40).
func TestExemptionsOfOthersStay(t *testing.T) {
	for name, row := range map[string]struct {
		adds, loses, fails bool
	}{
		"PUT adds":                            {adds: true},
		"PUT replaces":                        {},
		"PUT replaces, and takes one at most": {loses: true, fails: true},
	} {
		for _, through := range []string{"block", "writer"} {
			t.Run(name+"/"+through, func(t *testing.T) {
				on := map[string]bool{"leaver@contoso.example": true, "old@contoso.example": true}
				server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "application/json")
					if r.Method != http.MethodPut {
						_ = json.NewEncoder(w).Encode(slices.Sorted(maps.Keys(on)))
						return
					}
					var sent []string
					_ = json.NewDecoder(r.Body).Decode(&sent)
					if !row.adds {
						clear(on)
					}
					if row.loses {
						sent = sent[:1]
					}
					for _, a := range sent {
						on[a] = true
					}
					w.WriteHeader(http.StatusNoContent)
				}))
				defer server.Close()
				c, err := New(Config{BaseURL: server.URL, User: "u@x.example", Password: "secret", HTTP: server.Client()})
				if err != nil {
					t.Fatal(err)
				}
				conn := &resource.Conn{Tenant: resource.Identity{PrimaryDomain: "contoso.example"}, Clients: []any{c}}
				if through == "block" {
					planned := resource.With(exemptionBlock("new@contoso.example"), "protects", stringSet("new@contoso.example"))
					_, err = writeExemption(t.Context(), conn, &resource.Change{Planned: planned, Prior: cty.NullVal(planned.Type())})
				} else {
					w, werr := NewWriter(conn)
					if werr != nil {
						t.Fatal(werr)
					}
					err = w.AddExemption(t.Context(), "New@contoso.example")
				}
				if (err != nil) != row.fails {
					t.Fatalf("%v", err)
				}
				if got := slices.Sorted(maps.Keys(on)); !row.fails && !slices.Equal(got, []string{"leaver@contoso.example", "new@contoso.example", "old@contoso.example"}) {
					t.Errorf("exempt are %v", got)
				}
			})
		}
	}
}
