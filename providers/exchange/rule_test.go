package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/sim/world"
)

func tagBlock(name string, more map[string]cty.Value) map[string]cty.Value {
	return with(map[string]cty.Value{"name": cty.StringVal(name), "set_header.name": cty.StringVal("X"), "set_header.value": cty.StringVal(name)}, more)
}

func (s *service) ruleOrder() string {
	s.t.Helper()
	all, err := listRules(context.Background(), s.conn)
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, l := range all {
		n, _ := resource.Whole(l.Value, "priority")
		out = append(out, fmt.Sprintf("%d %s", n, l.Name))
	}
	return strings.Join(out, ", ")
}

func TestRulePriorities(t *testing.T) {
	s := newService(t, scanner)
	typ := ruleType()
	at := func(n int64) map[string]cty.Value { return map[string]cty.Value{"priority": cty.NumberIntVal(n)} }
	for _, step := range []struct {
		config map[string]cty.Value
		want   string
	}{
		{tagBlock("A", nil), "0 External disclaimer, 1 A"},
		{tagBlock("B", at(0)), "0 B, 1 External disclaimer, 2 A"},
		// Behind the last place: those in front may come later.
		{tagBlock("C", at(7)), "0 B, 1 External disclaimer, 2 A, 3 C"},
		{tagBlock("A", at(0)), "0 A, 1 B, 2 External disclaimer, 3 C"},
		// Not written, not compared: B was moved by its neighbour.
		{tagBlock("B", map[string]cty.Value{"comments": cty.StringVal("moved")}), "0 A, 1 B, 2 External disclaimer, 3 C"},
	} {
		s.apply(typ, step.config)
		if got := s.ruleOrder(); got != step.want {
			t.Errorf("order %s, want %s", got, step.want)
		}
	}
	all, err := listRules(context.Background(), s.conn)
	if err != nil {
		t.Fatal(err)
	}
	req, paths, err := s.plan(typ, tagBlock("C", at(9)), all[3], cty.NilVal, nil)
	if err != nil || !slices.Equal(paths, []string{"priority"}) {
		t.Fatalf("%q differ, %v", paths, err)
	}
	_, err = typ.Update(context.Background(), s.conn, &resource.Change{ID: all[3].ID, Prior: all[3].Value, Planned: req.Planned, Paths: paths})
	if !errors.Is(err, resource.ErrInvalid) {
		t.Errorf("a place that does not exist: %v", err)
	}
	if !typ.Serial {
		t.Error("rules are changed side by side, and their priorities shift")
	}
}

// TestRuleWrites: what is sent, in which order. Retired parameters that the rule shows are not echoed.
func TestRuleWrites(t *testing.T) {
	s := newService(t, func(_ *world.World, tenant *world.Tenant) {
		tenant.Exchange.Rules = append(tenant.Exchange.Rules, object("eeeeeeee-0000-4000-8000-000000000001", "Bypass", map[string]any{
			"SenderIpRanges": []string{"67.231.144.0/24"}, "SetSCL": -1, "HasSenderOverride": true, "MessageContainsDataClassifications": []string{"x"},
			"Comments": "\r\n", "SetHeaderName": "X", "SetHeaderValue": "1"}))
	})
	bypass := map[string]cty.Value{"set_scl": cty.NumberIntVal(-1)}
	for _, step := range []struct {
		config map[string]cty.Value
		want   string
	}{
		{nil, ""},
		{map[string]cty.Value{"comments": cty.StringVal("")}, ""},
		{map[string]cty.Value{"enabled": cty.False, "comments": cty.StringVal("x")}, "Disable-TransportRule, Set-TransportRule Comments"},
		{map[string]cty.Value{"enabled": cty.True, "comments": cty.StringVal("y")}, "Set-TransportRule Comments, Enable-TransportRule"},
		{map[string]cty.Value{"enabled": cty.False}, "Disable-TransportRule"},
		{map[string]cty.Value{"set_header.name": cty.StringVal("X"), "set_header.value": cty.StringVal("2")}, "Set-TransportRule SetHeaderName SetHeaderValue"},
		{map[string]cty.Value{"sender_ip_ranges": stringSet("67.231.144.9/24", "148.163.128.0/19")}, "Set-TransportRule SenderIpRanges"},
	} {
		s.sent = nil
		config := with(map[string]cty.Value{}, bypass)
		s.apply(ruleType(), with(config, step.config))
		var got []string
		for _, q := range s.sent {
			if strings.HasPrefix(q.cmdlet, "Get-") {
				continue
			}
			var names []string
			for name := range q.parameters {
				if name != "Identity" && name != "Confirm" {
					names = append(names, name)
				}
			}
			slices.Sort(names)
			got = append(got, strings.TrimSpace(q.cmdlet+" "+strings.Join(names, " ")))
		}
		if strings.Join(got, ", ") != step.want {
			t.Errorf("%v: sent %q, want %q", step.config, got, step.want)
		}
	}
}

// TestSCLAsText: the number has been seen as a number and as text.
func TestSCLAsText(t *testing.T) {
	for wire, want := range map[string]cty.Value{"-1": cty.NumberIntVal(-1), `"-1"`: cty.NumberIntVal(-1), `"5"`: cty.NumberIntVal(5),
		"null": cty.NullVal(cty.Number), `""`: cty.NullVal(cty.Number)} {
		a, err := parseAnswer([]byte(`{"value":[{"Guid":"g","Name":"n","State":"Enabled","Priority":0,"SenderIpRanges":null,"SetSCL":` + wire + `}]}`))
		if err != nil {
			t.Fatal(err)
		}
		l, err := ruleLive(a.rows[0])
		if err != nil || !l.Value.GetAttr("set_scl").RawEquals(want) {
			t.Errorf("%s: %#v, %v", wire, l.Value.GetAttr("set_scl"), err)
		}
	}
	for _, wire := range []string{`"high"`, "true", "[]", "1.5"} {
		a, err := parseAnswer([]byte(`{"value":[{"Guid":"g","Name":"n","State":"Enabled","Priority":0,"SenderIpRanges":null,"SetSCL":` + wire + `}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if l, err := ruleLive(a.rows[0]); err == nil {
			t.Errorf("%s: %#v", wire, l.Value.GetAttr("set_scl"))
		}
	}
}

func TestRuleCustomize(t *testing.T) {
	s := newService(t)
	scl := cty.NumberIntVal(-1)
	some := stringSet("192.0.2.0/24")
	exists := resource.Live{ID: "x", Value: block(ruleTable, map[string]cty.Value{"name": cty.StringVal("R"), "sender_ip_ranges": some})}
	for _, row := range []struct {
		name   string
		config map[string]cty.Value
		live   resource.Live
		planed string
		err    string
	}{
		{"bypass", map[string]cty.Value{"set_scl": scl, "sender_ip_ranges": some}, resource.Live{}, ruleName, ""},
		{"bypass, named", map[string]cty.Value{"name": cty.StringVal("N"), "set_scl": scl, "sender_ip_ranges": some}, resource.Live{}, "N", ""},
		{"bypass, ranges to come", map[string]cty.Value{"set_scl": scl, "sender_ip_ranges": cty.UnknownVal(cty.Set(cty.String))}, resource.Live{}, ruleName, ""},
		{"bypass for everything", map[string]cty.Value{"set_scl": scl}, resource.Live{}, "", "all mail"},
		{"bypass for everything, emptied", map[string]cty.Value{"set_scl": scl, "sender_ip_ranges": stringSet()}, exists, "", "all mail"},
		{"bypass, condition as it is", map[string]cty.Value{"set_scl": scl}, exists, "", ""},
		{"refusal of everything", map[string]cty.Value{"name": cty.StringVal("N"), "reject.reason": cty.StringVal("no")}, resource.Live{}, "", "all mail"},
		{"refusal from outside", map[string]cty.Value{"name": cty.StringVal("N"), "reject.reason": cty.StringVal("no"), "from_scope": cty.StringVal("not_in_organization")}, resource.Live{}, "N", ""},
		{"no name", map[string]cty.Value{"set_scl": cty.NumberIntVal(5)}, resource.Live{}, "", "needs a name"},
		{"no name, exists", map[string]cty.Value{"set_scl": cty.NumberIntVal(5)}, exists, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			req, _, err := s.plan(ruleType(), row.config, row.live, cty.NilVal, nil)
			if row.err == "" && err != nil || row.err != "" && (!errors.Is(err, resource.ErrInvalid) || !strings.Contains(err.Error(), row.err)) {
				t.Fatalf("%v, want %q", err, row.err)
			}
			if err == nil && resource.Text(req.Planned, "name") != row.planed {
				t.Errorf("named %q, want %q", resource.Text(req.Planned, "name"), row.planed)
			}
		})
	}
}
