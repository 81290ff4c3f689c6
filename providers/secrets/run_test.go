package secrets

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-project/weir/providers/resource"
)

func TestResolve(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"SET": "from the env", "EMPTY": ""}[name]
		return v, ok
	}
	for _, row := range []struct{ url, want, err string }{
		{url: "env://SET", want: "from the env"},
		{url: "env://MISSING", err: "environment variable MISSING is not set"},
		{url: "env://EMPTY", err: "is empty"},
		{url: "file://" + file, want: "from the file"},
		{url: "file://" + file + ".not", err: "no such file"},
		{url: "file://host/x", err: "file:///absolute/path"},
		{url: "file://" + filepath.Dir(file), err: "not a regular file"},
		{url: "vault://x", err: "env:// and file://"},
		{url: "plain", err: "is not a reference"},
	} {
		t.Run(row.url, func(t *testing.T) {
			var seen []string
			r := &Run{Env: env, Seen: func(v string) { seen = append(seen, v) }}
			got, err := r.Resolve(context.Background(), &resource.SecretRef{URL: row.url})
			if row.err != "" {
				if err == nil || !strings.Contains(err.Error(), row.err) {
					t.Fatalf("error %v, want one with %q", err, row.err)
				}
				return
			}
			if err != nil || got != row.want {
				t.Fatalf("got %q, %v", got, err)
			}
			if len(seen) != 1 || seen[0] != row.want {
				t.Errorf("the redactor was told %q", seen)
			}
		})
	}
}

func TestIssuedLivesInTheRunThatMadeIt(t *testing.T) {
	r := &Run{}
	ref := &resource.SecretRef{Issuer: "app_registration.sync#secret_value", Version: "key-1"}
	if _, err := r.Resolve(context.Background(), ref); err == nil {
		t.Fatal("a secret that nobody issued was resolved")
	}
	r.Issue(ref.Issuer, "key-1", "value")
	if got, err := r.Resolve(context.Background(), ref); err != nil || got != "value" {
		t.Fatalf("got %q, %v", got, err)
	}
	if got := r.Issued("app_registration.sync"); got["secret_value"] != "key-1" {
		t.Errorf("issued %v", got)
	}
	if _, err := r.Resolve(context.Background(), &resource.SecretRef{Issuer: ref.Issuer, Version: "key-0"}); err == nil {
		t.Error("another version of the secret was resolved")
	}
}
