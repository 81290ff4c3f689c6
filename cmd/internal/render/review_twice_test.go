package render

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/planner/dirsync/hosted"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// forPeople are the forms in which a person reads a plan; their escapes are taken out.
func forPeople(t *testing.T, p *planner.Plan) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"text":     func(b *bytes.Buffer) error { return Text(b, p, Options{Width: 200}) },
		"markdown": func(b *bytes.Buffer) error { return Markdown(b, p, Options{Names: true}) },
		"html":     func(b *bytes.Buffer) error { return HTML(b, p, Options{}) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		out[name] = strings.NewReplacer("\u200b", "", `\_`, "_", `\.`, ".", "&#39;", "'", "&#34;", `"`, "&#43;", "+").Replace(b.String())
	}
	return out
}

// everywhere reports each form that does not say what it should.
func everywhere(t *testing.T, p *planner.Plan, wants ...string) {
	t.Helper()
	for name, out := range forPeople(t, p) {
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("%s does not say %q:\n%s", name, want, out)
			}
		}
	}
}

// TestOutputsOfLists: an output that is a list changes by elements, and every form names them.
func TestOutputsOfLists(t *testing.T) {
	p := &planner.Plan{ID: "p", Parts: []*planner.Part{{Status: planner.Ready, Outputs: []planner.OutputChange{
		{Name: "mx_hosts", Before: strings2("mx0.example", "mx1.example"), After: strings2("mx1.example", "mx2.example")},
		{Name: "fresh", Before: cty.NilVal, After: strings2("mx8.example", "mx9.example")},
	}}}}
	everywhere(t, p, "mx0.example", "mx2.example", "mx8.example", "mx9.example")
}

// TestNotesOfSeveralLines: a block to paste stays one, in every form.
func TestNotesOfSeveralLines(t *testing.T) {
	note := "To register them (R35):\n\ndomain \"known\" {\n  purpose = \"management\"\n}"
	p := &planner.Plan{ID: "p", Parts: []*planner.Part{{
		Tenant: resource.Identity{Key: "c", Name: "C"}, Status: planner.Ready, Notes: []string{note, "One line."}, Errors: []string{note}, Problems: []string{note},
		Changes: []*planner.Change{{Address: "domain.x", Type: "domain", Action: planner.Update, Cause: planner.Configuration}},
	}}}
	for name, out := range forPeople(t, p) {
		if n := strings.Count(out, "domain \"known\" {\n"); n != 3 {
			t.Errorf("%s breaks the lines of %d of 3 blocks:\n%s", name, 3-n, out)
		}
		if strings.Contains(out, `\n`) {
			t.Errorf("%s shows escapes for line breaks", name)
		}
	}
}

// risky is a tenant in which nothing changes, and whose own sync would disable somebody.
func risky(key string) *planner.Part {
	part := quietPart(key, strings.ToUpper(key))
	before := &directory.Account{Address: "kate@" + key + ".example", Type: directory.EndUser, Active: true}
	after := *before
	after.Active = false
	part.Hosted = &planner.HostedRun{Prediction: &hosted.Prediction{Items: []hosted.Item{
		{Effect: hosted.Disabling, Address: before.Address, Rule: "R32", Text: "its sign-in is blocked", Before: before, After: &after},
	}}}
	return part
}

// TestHostedOfManyTenants: what the vendor's own sync takes away is said of a tenant without changes too, however many
// tenants there are, and in the verdict. The twin: a tenant whose sync does nothing is folded.
func TestHostedOfManyTenants(t *testing.T) {
	for _, n := range []int{1, maxTenants + 4} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			p := &planner.Plan{ID: "p", Parts: []*planner.Part{risky("r1")}}
			for i := range n - 1 {
				p.Parts = append(p.Parts, quietPart(fmt.Sprintf("q%d", i), fmt.Sprintf("Quiet %d", i)))
			}
			everywhere(t, p, "kate@r1.example", "its sign-in is blocked", "What the hosted sync will do next", "Disabling: 1")
			for name, out := range forPeople(t, p) {
				if n > maxTenants && strings.Contains(out, "Quiet 0") {
					t.Errorf("%s does not fold what is quiet", name)
				}
				if name != "text" && !strings.Contains(out, "1 address stops receiving by the vendor's own sync") {
					t.Errorf("the verdict of %s does not tell:\n%s", name, out[:min(len(out), 9000)])
				}
			}
		})
	}
}

// TestHostedFailsIsSaid: that the vendor's run fails is said of a tenant without changes.
func TestHostedFailsIsSaid(t *testing.T) {
	part := quietPart("c", "C")
	part.Hosted = &planner.HostedRun{Prediction: &hosted.Prediction{Fails: "the secret is over"}}
	everywhere(t, &planner.Plan{ID: "p", Parts: []*planner.Part{part}}, "It fails and changes nothing: the secret is over.")
}

// TestSeatsOfManyTenants: a tenant that has more seats in use than licences is shown, however many there are.
func TestSeatsOfManyTenants(t *testing.T) {
	over := quietPart("over", "Over Ltd")
	over.Forecast = &planner.Forecast{Licences: planner.Licences{Before: 12, After: 12, Bought: 10, Buying: 10}}
	p := &planner.Plan{ID: "p", Parts: []*planner.Part{over}}
	for i := range maxTenants + 4 {
		p.Parts = append(p.Parts, quietPart(fmt.Sprintf("q%d", i), fmt.Sprintf("Quiet %d", i)))
	}
	everywhere(t, p, "Over Ltd", "2 more than the 10 licences")
}

// TestSimulatedIsSaid: whoever reads a plan of a simulated world is told, in every form.
func TestSimulatedIsSaid(t *testing.T) {
	p := emptyPlan(1)
	p.Realm = "sim-1"
	for name, out := range forPeople(t, p) {
		if !strings.Contains(strings.ToLower(out), "simulated") {
			t.Errorf("%s does not say it:\n%s", name, out)
		}
	}
	p.Realm = "live"
	for name, out := range forPeople(t, p) {
		if strings.Contains(strings.ToLower(out), "simulated") {
			t.Errorf("%s says it of a live one", name)
		}
	}
}

// TestDoubtsAreMarked: an item of the vendor's own run that depends on what cannot be read is marked where it stands.
func TestDoubtsAreMarked(t *testing.T) {
	part := risky("r1")
	part.Hosted.Doubts = []hosted.Doubt{{Fact: hosted.FlipSwitch, Not: part.Hosted.Items[:1]}}
	everywhere(t, &planner.Plan{ID: "p", Parts: []*planner.Part{part}}, "either, or: see below")
	for name, out := range forPeople(t, &planner.Plan{ID: "p", Parts: []*planner.Part{part}}) {
		if name != "text" && !strings.Contains(out, "1 address may stop receiving by the vendor's own sync") {
			t.Errorf("the verdict of %s does not tell it:\n%s", name, out)
		}
	}
	for name, out := range forPeople(t, &planner.Plan{ID: "p", Parts: []*planner.Part{risky("r1")}}) {
		if strings.Contains(out, "either, or: see below") {
			t.Errorf("%s doubts what is sure", name)
		}
	}
}

// TestStraysAreTold: accounts that nobody manages are told of in every form.
func TestStraysAreTold(t *testing.T) {
	part := risky("r1")
	part.Accounts = &dirsync.Result{Strays: []string{"old@r1.example", "older@r1.example"}}
	everywhere(t, &planner.Plan{ID: "p", Parts: []*planner.Part{part}}, "2 accounts have no directory entry and nobody manages them")
}
