package resource

import (
	"testing"

	"github.com/zclconf/go-cty/cty"
)

func set(s ...string) cty.Value  { return stringsLike(cty.Set(cty.String), s) }
func list(s ...string) cty.Value { return stringsLike(cty.List(cty.String), s) }

func TestNormalizers(t *testing.T) {
	str := cty.StringVal
	nullSet, nullString := cty.NullVal(cty.Set(cty.String)), cty.NullVal(cty.String)
	for _, row := range []struct {
		name     string
		n        *Normalizer
		in, want cty.Value
	}{
		{"case", FoldCase, str(" Alice@Contoso.COM "), str("alice@contoso.com")},
		{"case null", FoldCase, nullString, nullString},
		{"case unknown", FoldCase, cty.UnknownVal(cty.String), cty.UnknownVal(cty.String)},
		{"case number passes", FoldCase, cty.NumberIntVal(3), cty.NumberIntVal(3)},
		{"folded set", FoldedSet, set("B", "a", "b"), set("a", "b")},
		{"folded list loses order", FoldedSet, list("B", "a", "b"), list("a", "b")},
		{"folded empty", FoldedSet, set(), nullSet},
		{"folded null", FoldedSet, nullSet, nullSet},
		{"folded with unknown", FoldedSet, cty.ListVal([]cty.Value{cty.UnknownVal(cty.String)}), cty.ListVal([]cty.Value{cty.UnknownVal(cty.String)})},
		{"unordered keeps case", UnorderedSet, list("b", "A"), list("A", "b")},
		{"empty string", EmptyIsNull, str(""), nullString},
		{"blank string", EmptyIsNull, str("x"), str("x")},
		{"empty list", EmptyIsNull, list(), cty.NullVal(cty.List(cty.String))},
		{"host", Host, str("Mail.Contoso.com."), str("mail.contoso.com")},
		{"host address", Host, str("192.0.2.7"), str("192.0.2.7")},
		{"host empty", Host, str(""), nullString},
		{"hosts", HostSet, list("B.example.", "a.example"), list("a.example", "b.example")},
		{"network", CIDR, str("192.0.2.77/24"), str("192.0.2.0/24")},
		{"network of one", CIDR, str("192.0.2.77/32"), str("192.0.2.77")},
		{"network v6", CIDR, str("2001:DB8:0::1/64"), str("2001:db8::/64")},
		{"network odd", CIDR, str("Nonsense"), str("nonsense")},
		{"networks", CIDRSet, set("192.0.2.1/24", "192.0.2.0/24"), set("192.0.2.0/24")},
		{"smtp star", SMTPPrefix, str("smtp:*;1"), str("*")},
		{"smtp address", SMTPPrefix, str("SMTP:A@b.example"), str("a@b.example")},
		{"smtp semicolon kept", SMTPPrefix, str("a;b"), str("a;b")},
		{"smtp set", SMTPPrefixSet, set("smtp:*;1", "*"), set("*")},
		{"date slashes", Date, str("2027/03/01"), str("2027-03-01")},
		{"date time", Date, str("2027-03-01 09:00:04"), str("2027-03-01")},
		{"date zone", Date, str("2027-03-01T23:00:00-02:00"), str("2027-03-02")},
		{"date odd", Date, str("soon"), str("soon")},
		{"chain", Chain("c", "test", FoldCase, EmptyIsNull), str(" "), nullString},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := row.n.Apply(row.in)
			if !got.RawEquals(row.want) {
				t.Errorf("%s: got %#v, want %#v", row.n.Name, got, row.want)
			}
			if again := row.n.Apply(got); !again.RawEquals(got) {
				t.Errorf("%s is not idempotent: %#v then %#v", row.n.Name, got, again)
			}
		})
	}
}

func FuzzNormalizersAreIdempotent(f *testing.F) {
	for _, s := range []string{"", "smtp:smtp:*;1;2", "::ffff:1.2.3.4/128", "a..", "2027/03/01", " X ", "smtp: ;1"} {
		f.Add(s)
	}
	all := []*Normalizer{FoldCase, FoldedSet, UnorderedSet, EmptyIsNull, Host, HostSet, CIDR, CIDRSet, SMTPPrefix, SMTPPrefixSet, Date}
	f.Fuzz(func(t *testing.T, s string) {
		for _, n := range all {
			for _, v := range []cty.Value{cty.StringVal(s), set(s), list(s, "x")} {
				once := n.Apply(v)
				if twice := n.Apply(once); !twice.RawEquals(once) {
					t.Errorf("%s: %q gives %#v, then %#v", n.Name, s, once, twice)
				}
			}
		}
	})
}
