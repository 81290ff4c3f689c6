package apply_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/state"
)

func from(addresses string) string {
	from, to, _ := strings.Cut(addresses, " ")
	return "moved {\n  from = " + from + "\n  to   = " + to + "\n}\n"
}

// TestMoves: what a moved block renames is planned under its new address, applied without a call for the move, and
// then there is nothing left to do.
func TestMoves(t *testing.T) {
	const old = `
box "a" { name = "a" }
box "b" {
  name    = "b"
  content = box.a.serial
}
`
	const keyed = "box \"k\" {\n  for_each = toset([\"x\", \"y\"])\n  name = each.key\n}\n"
	for _, row := range []struct {
		name, before, after string
		want                string // the plan
		calls               []string
		objects             string // in state afterwards, the tenant's own left out
	}{
		{
			name: "one object", before: old, after: strings.ReplaceAll(strings.ReplaceAll(old, `"a" {`, `"new" {`), "box.a.", "box.new.") + from("box.a box.new"),
			want: "=> box.new", objects: "box.b box.new",
		},
		{
			name: "without a word it is made again, the twin", before: `box "a" { name = "a" }`, after: `box "new" { name = "c" }`,
			want: "+ box.new, - box.a", calls: []string{"create c", "delete a"}, objects: "box.new",
		},
		{
			name: "together with an update", before: old,
			after: "box \"new\" {\n  name = \"a\"\n  content = \"2\"\n}\nbox \"b\" {\n  name = \"b\"\n  content = box.new.serial\n}\n" + from("box.a box.new"),
			want:  "~ box.new", calls: []string{"update a"}, objects: "box.b box.new",
		},
		{
			name: "together with a replacement", before: `box "a" { name = "a" }`, after: `box "new" { name = "c" }` + "\n" + from("box.a box.new"),
			want: "-/+ box.new", calls: []string{"delete a", "create c"}, objects: "box.new",
		},
		{
			name: "all instances", before: keyed, after: strings.ReplaceAll(keyed, `"k" {`, `"n" {`) + from("box.k box.n"),
			want: `=> box.n["x"], => box.n["y"]`, objects: `box.n["x"] box.n["y"]`,
		},
		{
			name: "one key", before: keyed, after: strings.ReplaceAll(keyed, `"y"]`, `"z"]`) + from(`box.k["y"] box.k["z"]`),
			want: `-/+ box.k["z"]`, calls: []string{"delete y", "create z"}, objects: `box.k["x"] box.k["z"]`,
		},
		{
			name: "a key is gained", before: `box "a" { name = "a" }`, after: "box \"a\" {\n  for_each = toset([\"a\"])\n  name = each.key\n}\n" + from(`box.a box.a["a"]`),
			want: `=> box.a["a"]`, objects: `box.a["a"]`,
		},
		{
			name: "a count is given up", before: "box \"a\" {\n  count = 2\n  name = \"a${count.index}\"\n}\n", after: `box "a" { name = "a0" }` + "\n" + from(`box.a[0] box.a`),
			want: "- box.a[1], => box.a", calls: []string{"delete a1"}, objects: "box.a",
		},
		{
			name: "a chain", before: `box "a" { name = "a" }`, after: `box "c" { name = "a" }` + "\n" + from("box.a box.b") + from("box.b box.c"),
			want: "=> box.c", objects: "box.c",
		},
		{
			name: "a chain from its middle", before: `box "b" { name = "a" }`, after: `box "c" { name = "a" }` + "\n" + from("box.a box.b") + from("box.b box.c"),
			want: "=> box.c", objects: "box.c",
		},
		{
			name: "done long ago", before: `box "c" { name = "a" }`, after: `box "c" { name = "a" }` + "\n" + from("box.a box.b") + from("box.b box.c"),
			objects: "box.c",
		},
		{
			name: "to where nothing is declared", before: `box "a" { name = "a" }`, after: from("box.a box.new"),
			want: "- box.new", calls: []string{"delete a"},
		},
		{
			name: "of what is to be released", before: `box "a" { name = "a" }`, after: from("box.a box.new") + "removed {\n  from = box.new\n  destroy = false\n}\n",
			want: ". box.new",
		},
		{
			name: "something else", before: `box "a" { name = "a" }`, after: `box "a" { name = "a" }` + "\n" + from("box.x box.y"), objects: "box.a",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBench(t, row.before)
			b.mustApply()
			b.vendor.changes()
			serials := maps.Clone(b.vendor.boxes)
			b.configure(row.after)
			if got := actions(b.plan()); got != row.want {
				t.Fatalf("planned %q, want %q", got, row.want)
			}
			b.mustApply()
			if got := b.vendor.changes(); !slices.Equal(got, row.calls) {
				t.Errorf("calls %q, want %q", got, row.calls)
			}
			var objects []string
			for _, address := range b.journal.durable.Addresses() {
				if obj := b.journal.durable.Objects[address]; obj.Type != "tenant" {
					objects = append(objects, address)
					for _, d := range obj.Dependencies {
						if b.journal.durable.Objects[d] == nil {
							t.Errorf("%s depends on %s, which state does not have", address, d)
						}
					}
				}
			}
			if got := strings.Join(objects, " "); got != row.objects {
				t.Errorf("state has %q, want %q", got, row.objects)
			}
			for name, box := range b.vendor.boxes {
				if old := serials[name]; old != nil && len(row.calls) == 0 && !maps.Equal(old, box) {
					t.Errorf("box %s is another one", name)
				}
			}
			b.mustBeEmpty()
		})
	}
}

// TestMoveOfTheTenantsBlock: the organization's object follows its block, with a moved block or without; it is never
// taken for one whose block is gone.
func TestMoveOfTheTenantsBlock(t *testing.T) {
	for name, moved := range map[string]string{
		"without a word": "", "as the files say": from("tenant.t tenant.new"), "to somewhere else": from("tenant.t tenant.other"),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, `box "a" { name = "a" }`)
			b.mustApply()
			b.vendor.changes()
			b.head = "tenant \"new\" {\n  key = \"t\"\n  name = \"T\"\n  primary_domain = \"t.example\"\n}\n"
			b.configure(`box "a" { name = "a" }` + "\n" + moved)
			part := b.plan()
			if got := actions(part); got != "=> tenant.new" || part.Changes[0].From != "tenant.t" {
				t.Fatalf("planned %q", got)
			}
			b.mustApply()
			if calls := b.vendor.changes(); len(calls) > 0 {
				t.Errorf("calls %q", calls)
			}
			b.mustBeEmpty()
		})
	}
}

// TestMoveOntoAnObject: state has both addresses. The object that was to be moved is left alone, and said so, until one of
// the two is taken out of state; the other is planned as ever.
func TestMoveOntoAnObject(t *testing.T) {
	b := newBench(t, "box \"a\" { name = \"a\" }\nbox \"b\" { name = \"b\" }\n")
	b.mustApply()
	b.vendor.changes()
	after := "box \"b\" {\n  name = \"b\"\n  content = \"2\"\n}\n" + from("box.a box.b")
	b.configure(after)
	part := b.plan()
	if part.Status != planner.Held || len(part.Guards) != 1 || part.Guards[0].Name != "moved" || !slices.Equal(part.Guards[0].Addresses, []string{"box.a"}) {
		t.Fatalf("status %s, guards %+v", part.Status, part.Guards)
	}
	if got := actions(part); got != "~ box.b" {
		t.Errorf("planned %q", got)
	}
	b.mustApply()
	if calls := b.vendor.changes(); !slices.Equal(calls, []string{"update b"}) {
		t.Errorf("calls %q", calls)
	}
	if b.journal.durable.Objects["box.a"] == nil || b.journal.durable.Objects["box.b"].ID != "b" {
		t.Error("state has lost one of them")
	}

	// A removed block settles it one way …
	b.configure(after + "removed {\n  from = box.a\n  destroy = true\n}\n")
	if got := actions(b.plan()); got != "- box.a" {
		t.Errorf("with a removed block planned %q", got)
	}
	// … and forgetting the other one the other way: then it is the move.
	delete(b.journal.durable.Objects, "box.b")
	b.configure("box \"b\" { name = \"a\" }\n" + from("box.a box.b"))
	if got := actions(b.plan()); got != "=> box.b" {
		t.Errorf("without the other one planned %q", got)
	}
}

// TestMoveIsFirstInTheJournal: a run that dies after its first entry has renamed and done nothing else; the next one goes
// on from there. What was reviewed is still what is applied.
func TestMoveIsFirstInTheJournal(t *testing.T) {
	b := newBench(t, `box "a" { name = "a" }`)
	b.mustApply()
	b.vendor.changes()
	b.configure("box \"new\" {\n  name = \"a\"\n  content = \"2\"\n}\nbox \"z\" { name = \"z\" }\n" + from("box.a box.new"))
	reviewed := b.plan().Review()
	b.journal.failAfter = 1
	if _, err := b.apply(reviewed); err == nil {
		t.Fatal("the journal was gone, and the run ended well")
	}
	b.journal.failAfter = -1
	if b.journal.durable.Objects["box.new"] == nil || b.journal.durable.Objects["box.a"] != nil {
		t.Fatalf("state has %v", b.journal.durable.Addresses())
	}
	report, err := b.apply(reviewed)
	if err != nil || len(report.NotReviewed)+len(report.Failed)+len(report.Changed) > 0 {
		t.Fatalf("%v %+v", err, report)
	}
	b.mustBeEmpty()
}

// TestMoveThatNobodyReviewed is left alone and listed; its twin is reviewed.
func TestMoveThatNobodyReviewed(t *testing.T) {
	for _, seen := range []bool{false, true} {
		b := newBench(t, "box \"a\" { name = \"a\" }\nbox \"b\" {\n  name    = \"b\"\n  content = box.a.serial\n}\n")
		b.mustApply()
		b.configure("box \"new\" { name = \"a\" }\nbox \"b\" {\n  name    = \"b\"\n  content = box.new.serial\n  note    = \"n\"\n}\n" + from("box.a box.new"))
		reviewed := b.plan().Review()
		if !seen {
			delete(reviewed.Items, "box.new")
		}
		report, err := b.apply(reviewed)
		if err != nil {
			t.Fatal(err)
		}
		if moved := b.journal.durable.Objects["box.new"] != nil; moved != seen || b.journal.durable.Objects["box.a"] != nil == seen {
			t.Errorf("reviewed %v: state has %v", seen, b.journal.durable.Addresses())
		}
		if left := len(report.NotReviewed) == 1 && report.NotReviewed[0].Address == "box.new"; left == seen {
			t.Errorf("reviewed %v: %+v", seen, report)
		}
		if seen {
			b.mustBeEmpty()
		}
	}
}

// TestMoveCarriesWhatIsInDoubt: an operation that may have happened is looked for under the new address, so that what it
// made is known as Weir's own.
func TestMoveCarriesWhatIsInDoubt(t *testing.T) {
	b := newBench(t, `box "a" { name = "a" }`)
	b.mustApply()
	obj := b.journal.durable.Objects["box.a"]
	delete(b.journal.durable.Objects, "box.a")
	b.journal.durable.InDoubt = map[string]state.Intent{"op": {Op: "op", Address: "box.a", Type: "box", Action: "create", ID: obj.ID, Time: noon}}
	b.configure("box \"new\" { name = \"a\" }\n" + from("box.a box.new"))
	part := b.plan()
	if got := actions(part); got != "<- box.new" || !part.Changes[0].Created {
		t.Fatalf("planned %q", got)
	}
	b.mustApply()
	if len(b.journal.durable.InDoubt) > 0 || b.journal.durable.Objects["box.new"].Ownership != state.Created {
		t.Errorf("left %v, %s", b.journal.durable.InDoubt, b.journal.durable.Objects["box.new"].Ownership)
	}
	b.mustBeEmpty()
}

// TestMoveIsRefused where it cannot be meant.
func TestMoveIsRefused(t *testing.T) {
	const second = "tenant \"u\" {\n  name = \"U\"\n  primary_domain = \"u.example\"\n}\n"
	for _, row := range []struct {
		name, after string
		want        []string // nothing: it is planned
	}{
		{"to another organization", second + "box \"b\" {\n  tenant = tenant.u\n  name = \"a\"\n}\n" + from("box.a box.b"), []string{"Move to another organization", "from    = box.a\n      destroy = false", "to = box.b", `id = "a"`}},
		{"in the same", second + "box \"b\" {\n  tenant = tenant.t\n  name = \"a\"\n}\n" + from("box.a box.b"), nil},
		{"away from an instance still declared", "box \"b\" { name = \"b\" }\nbox \"a\" {\n  count = length(tenant.t.name) > 0 ? 1 : 0\n  name = \"a\"\n}\n" + from("box.a box.b"), []string{"still declared"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBench(t, "box \"a\" {\n  tenant = tenant.t\n  name = \"a\"\n}\n")
			b.mustApply()
			diags := b.tryConfigure(row.after)
			var part *planner.Part
			if !diags.HasErrors() {
				part, diags = planner.Build(context.Background(), b.request(b.journal.durable.Clone()))
			}
			if (len(row.want) > 0) != diags.HasErrors() || part != nil && (part.Status == planner.Errored) != diags.HasErrors() {
				t.Fatalf("got %v", diags)
			}
			for _, want := range row.want {
				if len(diags) != 1 || !strings.Contains(diags[0].Summary+"\n"+diags[0].Detail, want) || diags[0].Subject == nil {
					t.Errorf("got %v, want %q with its place", diags, want)
				}
			}
		})
	}
}

// TestKeyOfAnotherOrganization: a block that takes over the key of another organization's state is refused.
func TestKeyOfAnotherOrganization(t *testing.T) {
	for domain, refused := range map[string]bool{"t.example": false, "T.example": false, "other.example": true, "": false} {
		b := newBench(t, `box "a" { name = "a" }`)
		b.mustApply()
		b.journal.durable.Tenant.PrimaryDomain = domain
		part, diags := planner.Build(context.Background(), b.request(b.journal.durable.Clone()))
		if diags.HasErrors() != refused || (part.Status == planner.Errored) != refused {
			t.Errorf("%q: %v", domain, diags)
		}
		if refused && !strings.Contains(diags[0].Detail, "other.example") {
			t.Errorf("got %v", diags)
		}
	}
}
