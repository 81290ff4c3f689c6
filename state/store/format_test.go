package store

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

// writeV1 makes the fixtures of format 1 anew. It is for a format that was never released: what was, must be readable
// for ever, as it is.
var writeV1 = flag.Bool("write-v1", false, "write testdata/v1 anew")

// TestFormat1 reads whole buckets of format 1, in plaintext and encrypted: heads, manifests, parts, slots, records and
// blobs. A run can take each from its dead holder.
func TestFormat1(t *testing.T) {
	for name, o := range protections(t) {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", "v1", name+".json")
			if *writeV1 {
				m := NewMem().(*mem)
				specimen(t, m, "contoso", o)
				raw, err := json.MarshalIndent(m.objects, "", " ")
				if err != nil {
					t.Fatal(err)
				}
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, append(raw, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m := NewMem().(*mem)
			if err := json.Unmarshal(raw, &m.objects); err != nil {
				t.Fatal(err)
			}
			if twin(t, m, o); t.Failed() {
				t.Errorf("%s is as an earlier build wrote it, and must be readable for ever. "+
					"If this format was never released, -write-v1 writes it anew", file)
			}
		})
	}
}
