package render

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/apply"
	"github.com/weir-project/weir/state"
)

// hostile are texts that a directory, a vendor or a neighbour's configuration might hold.
var hostile = []string{
	"\x1b[2J\x1b]0;owned\x07", "\u009b31m", "\u202egnp.exe", "\u2066x\u2069", "\u200bhidden\ufeff", "a\r\nb\tc\x00\x7f", "\xff\xfe\xc3",
	"<script>alert(1)</script>", "</details></summary><img src=x onerror=alert(1)>", "\"'><svg/onload=1>", "{{.Plan}}", "&lt;b&gt;",
	"[x](http://evil.example)", "![x](//evil.example/x.png)", "http://evil.example www.evil.example WWW.evil.example", "<http://evil.example>",
	"@team please merge #1 !2 $3 ~4 %5 &6", "a`b``c```d", "`", "``", " ` ", "a|b", `a\|b`, `a\\|b`, `\`, "~~~", "```\nx", "# heading", "- item", "1. one", "1) one",
	"---", "===", "***bold***", "__init__", "| a | b |\n|---|---|", "a@b.example x@y", "\U000e0041tag", "=cmd|' /C calc'!A0", "\u2028\u2029", "𝒳\U0010ffff",
}

// poison returns the rich plan with text appended to every string in it and standing for every attribute's value.
func poison(text string) *planner.Plan {
	p := richPlan()
	poisonValue(reflect.ValueOf(p).Elem(), text)
	return p
}

var valueType = reflect.TypeOf(cty.Value{})

func poisonValue(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			poisonValue(v.Elem(), text)
		}
	case reflect.Slice:
		for i := range v.Len() {
			poisonValue(v.Index(i), text)
		}
	case reflect.Struct:
		if v.Type() == valueType {
			old := v.Interface().(cty.Value)
			if old != cty.NilVal && old.Type() == cty.String && old.IsKnown() && !old.IsNull() && !strings.Contains(old.AsString(), canary) {
				v.Set(reflect.ValueOf(cty.StringVal(text)))
			}
			return
		}
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if v.Type().Field(i).IsExported() && name != "Cause" && name != "SkipCounts" && name != "Realm" {
				poisonValue(v.Field(i), text)
			}
		}
	case reflect.String:
		// Named types are the program's own words; plain strings are foreign.
		if v.Type() == reflect.TypeOf("") && v.CanSet() && v.String() != "" {
			v.SetString(v.String() + text)
		}
	}
}

// clean fails on bytes that a terminal obeys, and on what turns or hides text.
func clean(t *testing.T, name string, out []byte) {
	t.Helper()
	if !utf8.Valid(out) {
		t.Errorf("%s: not UTF-8", name)
	}
	for _, r := range string(out) {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' || r == '\ufeff') {
			t.Fatalf("%s: %U reached the output", name, r)
		}
	}
}

func checkHostile(t *testing.T, text string) {
	plan := poison(text)
	for name, format := range formats {
		if name == "plan.color.txt" {
			continue // its escapes are its own
		}
		var b bytes.Buffer
		if err := format(&b, plan); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out := b.Bytes()
		clean(t, name, bytes.ReplaceAll(out, []byte("\u200b"), nil))
		switch {
		case strings.HasSuffix(name, ".json"):
			if !json.Valid(out) {
				t.Errorf("%s: not JSON", name)
			}
		case strings.HasSuffix(name, ".jsonl"):
			for _, line := range bytes.Split(bytes.TrimSpace(out), []byte("\n")) {
				if !json.Valid(line) {
					t.Errorf("%s: not JSON: %s", name, line)
				}
			}
		case strings.HasSuffix(name, ".html"):
			if got, want := tags(string(out)), tags(string(draw(t, name, poison("x")))); got != want {
				t.Errorf("%s: %d tags, want %d", name, got, want)
			}
		case strings.HasSuffix(name, ".md"):
			checkMarkdown(t, name, string(out))
		}
	}
}

func tags(page string) int { return strings.Count(page, "<") }

var ourTags = regexp.MustCompile(`</?details>|</?summary>|<br>`)

// checkMarkdown takes code away as a Markdown reader would, and then wants no markup that is not ours in the rest.
func checkMarkdown(t *testing.T, name, text string) {
	t.Helper()
	fence := ""
	for _, line := range strings.Split(text, "\n") {
		bare := strings.TrimLeft(line, "`")
		run := line[:len(line)-len(bare)]
		switch {
		case fence != "":
			if len(run) >= len(fence) && strings.TrimSpace(bare) == "" {
				fence = ""
			}
			continue
		case len(run) >= 3 && !strings.Contains(bare, "`"):
			fence = run
			continue
		}
		if strings.HasPrefix(line, "|") {
			if cells := strings.Count(strings.NewReplacer(`\\`, "", `\|`, "").Replace(line), "|"); cells < 3 || cells > 11 {
				t.Errorf("%s: %d bars in the row %q", name, cells, line)
			}
		}
		summary := strings.HasPrefix(line, "<details><summary>")
		rest := ourTags.ReplaceAllString(withoutCode(line), "")
		if !summary {
			rest = regexp.MustCompile(`\\[[:punct:]]`).ReplaceAllString(rest, "")
		}
		for _, bad := range []string{"<", "`", "://", "](", "www.", "WWW."} {
			if strings.Contains(rest, bad) && (!summary || bad == "<") {
				t.Errorf("%s: %q in %q (of %q)", name, bad, rest, line)
			}
		}
		if at := strings.ReplaceAll(rest, "@\u200b", ""); strings.Contains(at, "@") {
			t.Errorf("%s: a mention in %q", name, line)
		}
	}
	if fence != "" {
		t.Errorf("%s: a fence is never closed", name)
	}
}

// withoutCode takes code spans out of a line: a run of backticks up to the next run of the same length.
func withoutCode(line string) string {
	var out strings.Builder
	for i := 0; i < len(line); {
		switch {
		case line[i] == '\\' && i+1 < len(line):
			out.WriteString(line[i : i+2])
			i += 2
		case line[i] == '`':
			n := 1
			for i+n < len(line) && line[i+n] == '`' {
				n++
			}
			end := -1
			for j := i + n; j < len(line); {
				if line[j] != '`' {
					j++
					continue
				}
				k := j
				for k < len(line) && line[k] == '`' {
					k++
				}
				if k-j == n {
					end = k
					break
				}
				j = k
			}
			if end < 0 {
				out.WriteString(line[i : i+n])
				i += n
				continue
			}
			i = end
		default:
			out.WriteByte(line[i])
			i++
		}
	}
	return out.String()
}

// The seeds run as tests.
func FuzzHostile(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { checkHostile(t, text) })
}

// The other reporters take foreign text too.
func TestHostileElsewhere(t *testing.T) {
	for _, text := range hostile {
		identity := poison(text).Parts[0].Tenant
		outcomes := []Outcome{{Tenant: identity, Code: 6, Error: text, Report: &apply.Report{
			Applied: map[string]int{"create": 1, text: 1}, Failed: []apply.Item{{Address: text, Text: text}}, NotReviewed: []apply.Item{{Address: text, Text: text}},
		}}}
		s := richState()
		s.Objects[text] = &state.Object{Address: text, Type: "domain", ID: text, Values: object("name", cty.StringVal(text)), Ownership: state.Adopted}
		s.Accounts.Put(&state.Account{Address: text, Policy: text, Type: text, ObjectID: text})
		outputs := map[string]state.Output{text: {Value: cty.StringVal(text)}, "map": {Value: cty.MapVal(map[string]cty.Value{text: cty.True})}}
		for name, f := range map[string]func(io.Writer) error{
			"outcomes":      func(w io.Writer) error { return Outcomes(w, outcomes, Options{}) },
			"outcomes json": func(w io.Writer) error { return OutcomesJSON(w, outcomes, Options{}) },
			"state":         func(w io.Writer) error { return State(w, s, Options{}) },
			"state json":    func(w io.Writer) error { return StateJSON(w, s) },
			"outputs":       func(w io.Writer) error { return Outputs(w, outputs, Options{}) },
			"outputs json":  func(w io.Writer) error { return OutputsJSON(w, outputs) },
			"progress":      func(w io.Writer) error { return progressOf(w, "text", false, text) },
			"progress json": func(w io.Writer) error { return progressOf(w, "json", false, text) },
		} {
			var b bytes.Buffer
			if err := f(&b); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			clean(t, name, b.Bytes())
		}
	}
}

func progressOf(w io.Writer, format string, tty bool, text string) error {
	p := NewProgress(w, format, Options{}, tty)
	for _, kind := range []apply.EventKind{apply.Started, apply.Finished, apply.Failed, apply.LeftOut, apply.EventKind("other" + text)} {
		p.Event(apply.Event{Time: noon, Tenant: text, Address: text, Kind: kind, Action: text, Text: text})
	}
	p.Say(text)
	return nil
}

func TestSafeText(t *testing.T) {
	for _, row := range []struct{ in, want string }{
		{"", ""}, {"plain", "plain"}, {"Zürich 田中 🇨🇭", "Zürich 田中 🇨🇭"}, {"a\u00a0b", "a b"}, {"\x1b[31m", `\x1b[31m`}, {"\u009b", `\x9b`},
		{"a\nb\tc\r", `a\nb\tc\r`}, {"\u202e", `\u202e`}, {"\xff", `\xff`}, {"\U000e0041", `\U000e0041`}, {"می\u200cخواهم", "می\u200cخواهم"}, {`back\slash`, `back\slash`},
	} {
		t.Run(row.in, func(t *testing.T) {
			if got := SafeText(row.in); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

func FuzzSafeText(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		safe := SafeText(text)
		clean(t, "SafeText", []byte(safe))
		if strings.Contains(safe, "\n") {
			t.Error("a line break came through")
		}
		if SafeText(safe) != safe {
			t.Errorf("not stable: %q", safe)
		}
	})
}

// Sensitive and write-only values are in no form; the same values, not marked, are in every form that shows values.
func TestSecrets(t *testing.T) {
	for name := range formats {
		if out := draw(t, name, richPlan()); bytes.Contains(out, []byte(canary)) {
			t.Errorf("%s shows a sensitive value", name)
		}
	}
	open := richPlan()
	open.Sensitive = nil
	change := open.Parts[0].Changes[0]
	change.Sensitive = nil
	for i := range change.Paths {
		change.Paths[i].Sensitive = false
	}
	for _, name := range []string{"plan.txt", "plan.md", "plan.html", "plan.json"} {
		if out := draw(t, name, open); !bytes.Contains(out, []byte(canary)) {
			t.Errorf("%s does not show a value that is not sensitive", name)
		}
	}
}

// Markdown shortens every mail address of a person, and shows them when asked.
func TestPseudonyms(t *testing.T) {
	plain, names := string(draw(t, "plan.md", richPlan())), string(draw(t, "plan.names.md", richPlan()))
	for _, who := range []string{"bob.old", "leaver", "scanner", "Ännchen", "Baumeister", "gone1"} {
		if strings.Contains(plain, who+"@") || strings.Contains(plain, who+" Nr") || strings.Contains(plain, `"`+who+`"`) {
			t.Errorf("%s is named", who)
		}
		if !strings.Contains(names, who) {
			t.Errorf("%s is not named with names", who)
		}
	}
	for _, row := range []struct{ in, want string }{
		{"alice@contoso.com", "a…@contoso.com"}, {`x.account["alice.b@contoso.com"]`, `x.account["a…@contoso.com"]`}, {"no address", "no address"},
		{"from a@b.example, to é.x@zürich.example.", "from a…@b.example, to é…@zürich.example."}, {"@team", "@team"}, {"smtp:bob@x.example", "smtp:b…@x.example"},
	} {
		if got := pseudonym(row.in); got != row.want {
			t.Errorf("%q, want %q", got, row.want)
		}
	}
}
