package directory

import (
	"path"
	"strings"
	"testing"
	"testing/quick"
)

func TestPattern(t *testing.T) {
	for _, row := range []struct {
		pattern, address string
		want             bool
	}{
		{"svc-*@contoso.com", "svc-backup@contoso.com", true},
		{"SVC-*@Contoso.com", "svc-backup@contoso.com", true},
		{"svc-*@contoso.com", "svc-@contoso.com", true},
		{"svc-*@contoso.com", "svc@contoso.com", false},
		{"svc-*@contoso.com", "my-svc-x@contoso.com", false},
		{"svc-*@contoso.com", "svc-x@contoso.com.example", false},
		{"*@contoso.com", "anybody@contoso.com", true},
		{"*@contoso.com", "anybody@sub.contoso.com", false},
		{"*@*.contoso.com", "anybody@sub.contoso.com", true},
		{"room?@contoso.com", "room1@contoso.com", true},
		{"room?@contoso.com", "room@contoso.com", false},
		{"room?@contoso.com", "room12@contoso.com", false},
		{"r?om@contoso.com", "röom@contoso.com", true},
		{"a*b*c@x.example", "aXbYc@x.example", true},
		{"a*b*c@x.example", "aXbY@x.example", false},
		{"ann@x.example", "ann@x.example", true},
		{"a*@x.example", "a@y.example@x.example", true},
		{"*", "a@x.example", false},
	} {
		p, err := ParsePattern(row.pattern)
		if row.pattern == "*" {
			if err == nil {
				t.Errorf("%s is a pattern", row.pattern)
			}
			continue
		}
		if got := p.Match(row.address); err != nil || got != row.want {
			t.Errorf("%s on %s: %v, %v", row.pattern, row.address, got, err)
		}
	}
	for _, bad := range []string{"", "svc-*", "@x.example", "a@", "*@*", "?*@*.*", "a b@x.example", "a@b@c.example", "[a-z]@x.example", "a\x00*@\n", strings.Repeat("a", 320) + "@x.example", strings.Repeat("*a", 9) + "@x.example"} {
		if p, err := ParsePattern(bad); err == nil {
			t.Errorf("%q is taken as %v", bad, p)
		}
	}
	if (Pattern{}).Match("a@x.example") {
		t.Error("the zero value matches")
	}
}

// TestGlobAgreesWithPathMatch compares with the library's matcher, which takes exponential time.
func TestGlobAgreesWithPathMatch(t *testing.T) {
	letters := func(raw []byte, set string) string {
		var b strings.Builder
		for _, c := range raw[:min(len(raw), 12)] {
			b.WriteByte(set[int(c)%len(set)])
		}
		return b.String()
	}
	check := func(p, s []byte) bool {
		pattern, text := letters(p, "ab*?"), letters(s, "ab")
		want, err := path.Match(pattern, text)
		return err == nil && glob(pattern, text) == want
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 20000}); err != nil {
		t.Error(err)
	}
}

func BenchmarkPatternWorstCase(b *testing.B) {
	p, err := ParsePattern("*a*a*a*a*a*a*a*b@x.example")
	if err != nil {
		b.Fatal(err)
	}
	address := strings.Repeat("a", 300) + "@x.example"
	for b.Loop() {
		if p.Match(address) {
			b.Fatal("it matches")
		}
	}
}
