package resource

import (
	"slices"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

func TestReadingValues(t *testing.T) {
	v := cty.ObjectVal(map[string]cty.Value{
		"text": cty.StringVal("a").Mark("sensitive"), "flag": cty.True, "whole": cty.NumberIntVal(7), "half": cty.NumberFloatVal(0.5),
		"words": StringSet([]string{"b", "a"}), "none": StringList(nil), "null": cty.NullVal(cty.String), "unknown": cty.UnknownVal(cty.String),
		"in": cty.ObjectVal(map[string]cty.Value{"text": cty.StringVal("deep")}),
	})
	for path, want := range map[string]string{"text": "a", "in.text": "deep", "flag": "", "null": "", "unknown": "", "missing": "", "in.missing.more": ""} {
		if got := Text(v, path); got != want {
			t.Errorf("Text(%q) = %q, want %q", path, got, want)
		}
	}
	if got := Text(cty.StringVal("itself"), ""); got != "itself" {
		t.Errorf("Text of the value itself is %q", got)
	}
	if got := Text(cty.NilVal, "x"); got != "" {
		t.Errorf("Text of nothing is %q", got)
	}
	if b, ok := Flag(v, "flag"); !b || !ok {
		t.Error("flag is not read")
	}
	if _, ok := Flag(v, "text"); ok {
		t.Error("a string is read as a flag")
	}
	if n, ok := Whole(v, "whole"); n != 7 || !ok {
		t.Errorf("whole is %d, %v", n, ok)
	}
	if _, ok := Whole(v, "half"); ok {
		t.Error("a half is read as a whole number")
	}
	if words, ok := Words(v, "words"); !ok || !slices.Equal(words, []string{"a", "b"}) {
		t.Errorf("words are %v, %v", words, ok)
	}
	if words, ok := Words(v, "none"); !ok || len(words) > 0 {
		t.Errorf("an empty list has the words %v, %v", words, ok)
	}
	if _, ok := Words(v, "null"); ok {
		t.Error("null has words")
	}
}
