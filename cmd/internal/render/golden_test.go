package render

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/weir-project/weir/planner"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares with, or with -update writes, testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; refresh with -update and read the difference. Got:\n%s", path, got)
	}
}

// formats are all forms of a plan.
var formats = map[string]func(io.Writer, *planner.Plan) error{
	"plan.txt": func(w io.Writer, p *planner.Plan) error { return Text(w, p, Options{}) },
	"plan.color.txt": func(w io.Writer, p *planner.Plan) error {
		return Text(w, p, Options{Color: true, Width: 80, Asking: true})
	},
	"plan.md":       func(w io.Writer, p *planner.Plan) error { return Markdown(w, p, Options{}) },
	"plan.names.md": func(w io.Writer, p *planner.Plan) error { return Markdown(w, p, Options{Names: true}) },
	"plan.html":     func(w io.Writer, p *planner.Plan) error { return HTML(w, p, Options{}) },
	"plan.json":     func(w io.Writer, p *planner.Plan) error { return JSON(w, p, Options{}) },
	"plan.jsonl":    Events,
	"drift.txt":     func(w io.Writer, p *planner.Plan) error { return DriftText(w, p, Options{}) },
	"drift.md":      func(w io.Writer, p *planner.Plan) error { return DriftMarkdown(w, p, Options{}) },
}

func draw(t *testing.T, format string, p *planner.Plan) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := formats[format](&b, p); err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	for name := range formats {
		t.Run(name, func(t *testing.T) {
			golden(t, name, draw(t, name, richPlan()))
			golden(t, "empty."+name, draw(t, name, emptyPlan(1)))
			golden(t, "many."+name, draw(t, name, emptyPlan(200)))
		})
	}
}
