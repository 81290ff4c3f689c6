package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weir-project/weir/providers/sim/world"
	"github.com/weir-project/weir/state/store/storetest"
)

// keepStateIn names a bucket in the weir block.
func (s *site) keepStateIn(url string) {
	s.t.Helper()
	s.rewrite("main.weir.hcl", `  required_version = ">= 0.1"`, fmt.Sprintf("  state {\n    url       = %q\n    plaintext = true\n  }", url))
}

// TestMainJobOnAzureStorage: the main job with state in Azure Blob Storage, encrypted, over its real protocol.
func TestMainJobOnAzureStorage(t *testing.T) {
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", storetest.Azurite(t, "weir-state"))
	s := newSite(t, "quickstart", world.Quickstart())
	s.keepStateIn("azblob://weir-state?prefix=msp/")
	s.rewrite("main.weir.hcl", inPlaintext, byPassphrase)
	s.env["PASSPHRASE"] = passphrase
	before := s.comparable()
	s.weir(2, "plan", "--detailed-exitcode")
	s.weir(0, "apply", "--auto-approve")
	s.changes()
	s.empty()
	s.weir(0, "drift")
	s.weir(0, "apply", "--auto-approve")
	s.called(nil)
	if out := s.weir(0, "state", "list"); !strings.Contains(out, "domain.mail") {
		t.Errorf("state list does not name domain.mail:\n%s", out)
	}

	// A copy of the folder, as another machine has it, works on the same state.
	other := newSite(t, "quickstart", nil)
	other.server, other.env = s.server, s.env
	for _, name := range []string{"main.weir.hcl", "weir.lock.json"} {
		other.write(name, s.read(name))
	}
	other.empty()

	s.portal(`{"organization": "contoso.example", "domain": "contoso.example", "set": {"destination": "elsewhere.example"}}`)
	if out := s.weir(3, "drift"); !strings.Contains(out, "elsewhere.example") {
		t.Errorf("drift does not say what it found:\n%s", out)
	}
	other.weir(0, "apply", "--auto-approve")
	if calls := s.changes(); !slices.ContainsFunc(calls, func(c string) bool { return strings.HasSuffix(c, "PUT /orgs/{d}/domains/{t}") }) {
		t.Errorf("the repair made the calls %q", calls)
	}
	s.empty()

	s.weir(0, "destroy", "--auto-approve")
	if after := s.comparable(); after != before {
		t.Errorf("the world is not as it was:\n%s", firstDifference(before, after))
	}
}
