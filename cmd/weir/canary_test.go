package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

// awkward is what every secret of the world ends with here, so that each encoding of it looks different.
const awkward = `/+"&=%<~`

// haystack is everything that runs left behind, by where it was.
type haystack map[string][]byte

// leak is one secret found.
type leak struct{ where, encoding, secret string }

// needles are the ways in which a secret may be written.
func needles(secret string) map[string]string {
	quoted := func(escape bool) string {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(escape)
		_ = e.Encode(secret) // a string always encodes
		return strings.Trim(strings.TrimSpace(b.String()), `"`)
	}
	out := map[string]string{
		"raw": secret, "query": url.QueryEscape(secret), "path": url.PathEscape(secret), "JSON": quoted(true), "JSON without HTML": quoted(false),
		"raw, cut short": secret[:len(secret)*3/4], "HTML": html.EscapeString(secret), "quoted": strings.Trim(strconv.Quote(secret), `"`),
	}
	// Inside a longer text, base64 begins at one of three offsets; what depends on the neighbours is cut off.
	for offset := range 3 {
		text := append(bytes.Repeat([]byte{0}, offset), secret...)
		whole := len(text) / 3 * 3
		skip := []int{0, 2, 3}[offset]
		out[fmt.Sprintf("base64 at %d", offset)] = base64.RawStdEncoding.EncodeToString(text[:whole])[skip:]
		out[fmt.Sprintf("base64url at %d", offset)] = base64.RawURLEncoding.EncodeToString(text[:whole])[skip:]
	}
	return out
}

// scan looks for every secret in every encoding, also inside zstd frames. It reads each text once: a needle is tried
// where its first bytes stand.
func scan(h haystack, secrets []string) []leak {
	type needle struct {
		text []byte
		leak leak
	}
	byStart := map[[start]byte][]needle{}
	var may [1 << 16]bool
	for _, secret := range secrets {
		for encoding, text := range needles(secret) {
			key := [start]byte([]byte(text))
			byStart[key] = append(byStart[key], needle{[]byte(text), leak{encoding: encoding, secret: secret}})
			may[int(key[0])<<8|int(key[1])] = true
		}
	}
	found := map[leak]bool{}
	for where, data := range h {
		for _, text := range append(frames(data), data) {
			for i := 0; i+start <= len(text); i++ {
				if !may[int(text[i])<<8|int(text[i+1])] {
					continue
				}
				for _, n := range byStart[[start]byte(text[i:])] {
					if bytes.HasPrefix(text[i:], n.text) {
						n.leak.where = where
						found[n.leak] = true
					}
				}
			}
		}
	}
	return slices.Collect(maps.Keys(found))
}

// start is how many bytes of a needle are looked up at once; every needle is longer.
const start = 8

// frames decompresses what begins like a zstd frame anywhere in data.
func frames(data []byte) [][]byte {
	var out [][]byte
	magic := []byte{0x28, 0xb5, 0x2f, 0xfd}
	for at := 0; ; {
		i := bytes.Index(data[at:], magic)
		if i < 0 {
			return out
		}
		d, err := zstd.NewReader(bytes.NewReader(data[at+i:]))
		if err == nil {
			var b bytes.Buffer
			_, _ = b.ReadFrom(d) // what precedes a damaged end still counts
			out = append(out, b.Bytes())
			d.Close()
		}
		at += i + len(magic)
	}
}

// record runs weir and keeps what it printed.
func (h haystack) record(t *testing.T, s *site, want int, args ...string) {
	t.Helper()
	code, stdout, stderr := s.run(args...)
	name := strings.Join(args, " ")
	for n := 2; h[name+" (stdout)"] != nil; n++ {
		name = fmt.Sprintf("%s #%d", strings.Join(args, " "), n)
	}
	h[name+" (stdout)"], h[name+" (stderr)"] = []byte(stdout+"\n"), []byte(stderr+"\n")
	if code != want {
		t.Errorf("weir %s: exit code %d, want %d\n%s\n%s", name, code, want, tail(stdout), tail(stderr))
	}
}

// files adds every file below the site's folder: state, journal, plans, pages.
func (h haystack) files(t *testing.T, s *site) {
	t.Helper()
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if len(data) > 0 {
			h["file "+strings.TrimPrefix(path, s.dir)] = data
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// canaries gives every secret of the world an awkward end.
func canaries(w *world.World) *world.World {
	for _, tenant := range w.Tenants {
		for _, a := range tenant.Applications {
			for _, secret := range a.Secrets {
				secret.Value += awkward
			}
		}
	}
	for _, o := range w.Organizations {
		if o.Azure != nil && o.Azure.ADKey != "" {
			o.Azure.ADKey += awkward
		}
		for _, u := range o.Users {
			if u.Password != "" {
				u.Password += awkward
			}
		}
	}
	return w
}

// TestNoSecretIsLeftBehind runs everything that prints or writes, well and badly, and looks for the world's secrets in
// all of it.
func TestNoSecretIsLeftBehind(t *testing.T) {
	for _, c := range []struct {
		name    string
		example string
		world   *world.World
		tenant  string
		domain  string
		state   string // what the state block says; "" for none
	}{
		{"quickstart", "quickstart", world.Quickstart(), "contoso", "contoso.example", ""},
		{"msp", "msp", world.MSP(), "northwind", "northwind.example", ""},
		{"plaintext", "quickstart", world.Quickstart(), "contoso", "contoso.example", inPlaintext},
		{"encrypted", "quickstart", world.Quickstart(), "contoso", "contoso.example", byPassphrase},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := canaries(c.world)
			s := newSite(t, c.example, w)
			s.env["PASSPHRASE"] = "CANARY-passphrase" + awkward
			if c.state != "" {
				s.rewrite("main.weir.hcl", "weir {\n  required_version = \">= 0.1\"\n}\n", "")
				s.keepState(c.state)
			}
			h := haystack{}
			before := w.Secrets()
			tenant := []string{"--tenant", c.tenant}
			with := func(args ...string) []string { return append(args, tenant...) }

			h.record(t, s, 0, with("plan", "--out", "saved.plan", "--html", "plan.html")...)
			h.record(t, s, 0, with("plan", "--json")...)
			h.record(t, s, 0, with("plan", "--markdown", "--names")...)
			h.record(t, s, 0, "show", "--json", "saved.plan")
			h.record(t, s, 0, "show", "saved.plan")

			// A vendor that repeats the credential in its error, in every form in which one might.
			password := s.env["ESSENTIALS_PASSWORD"]
			for _, form := range []string{
				password, base64.StdEncoding.EncodeToString([]byte(password)), url.QueryEscape(password),
				strings.Repeat("-", 120) + password, // where a message may be cut
			} {
				body, err := json.Marshal(map[string]string{"message": "not accepted: " + form})
				if err != nil {
					t.Fatal(err)
				}
				if err := s.server.Fault(sim.Rule{Vendor: sim.Essentials, Action: sim.Action{Status: 400, Body: string(body)}}); err != nil {
					t.Fatal(err)
				}
				h.record(t, s, 7, with("plan", "--json", "--log-format", "json")...)
				s.server.ClearFaults()
			}

			// An apply that fails half way, and one that ends well.
			changing := true
			if err := s.server.Fault(sim.Rule{Vendor: sim.Essentials, Changing: &changing, After: 3, Action: sim.Action{Status: 400, Body: `{"message": "` + strings.ReplaceAll(s.env["ESSENTIALS_PASSWORD"], `"`, `\"`) + `"}`}}); err != nil {
				t.Fatal(err)
			}
			h.record(t, s, 6, with("apply", "--auto-approve", "--log-format", "json")...)
			s.server.ClearFaults()
			h.files(t, s) // the journal, before a checkpoint takes it
			h.record(t, s, 0, with("apply", "--auto-approve", "--json")...)
			h.record(t, s, 0, with("plan", "--detailed-exitcode")...)
			h.record(t, s, 0, "output", "--json")
			h.record(t, s, 0, with("state", "pull")...)
			h.record(t, s, 0, with("state", "list", "--accounts")...)
			h.record(t, s, 0, with("show", "--json")...)
			s.portal(fmt.Sprintf(`{"organization": %q, "domain": %[1]q, "set": {"destination": "elsewhere.example"}}`, c.domain))
			h.record(t, s, 3, with("drift")...)
			h.record(t, s, 3, with("drift", "--json")...)

			// Secrets where they may not flow.
			s.write("leak.weir.hcl", "output \"leak\" {\n  value = env(\"ESSENTIALS_PASSWORD\")\n}\n")
			h.record(t, s, 1, with("plan")...)
			s.write("leak.weir.hcl", "output \"leak\" {\n  value = secret(\"env://ESSENTIALS_PASSWORD\")\n}\n")
			h.record(t, s, 1, "plan")
			if err := os.Remove(filepath.Join(s.dir, "leak.weir.hcl")); err != nil {
				t.Fatal(err)
			}

			// Wrong credentials.
			right := s.env["ESSENTIALS_PASSWORD"]
			s.env["ESSENTIALS_PASSWORD"] = "CANARY-wrong-password" + awkward
			h.record(t, s, 7, with("plan")...)
			s.env["ESSENTIALS_PASSWORD"] = right
			client := s.env["AZURE_CLIENT_SECRET"]
			s.env["AZURE_CLIENT_SECRET"] = "CANARY-wrong-secret" + awkward
			h.record(t, s, 7, with("plan")...)
			s.env["AZURE_CLIENT_SECRET"] = client

			h.files(t, s)
			secrets := append(w.Secrets(), before...)
			slices.Sort(secrets)
			secrets = slices.Compact(secrets)
			if len(secrets) <= len(before) {
				t.Errorf("the runs issued no secret; the world has %d", len(secrets))
			}
			secrets = append(secrets, "CANARY-wrong-password"+awkward, "CANARY-wrong-secret"+awkward, s.env["PASSPHRASE"])
			for _, l := range scan(h, secrets) {
				t.Errorf("%s: secret %s, written as %s", l.where, l.secret, l.encoding)
			}
			plant(t, h, secrets)

			// With encryption, nobody's name or address can be read in the bucket or in a plan file, by whom it is for.
			kept := h.stored()
			if len(kept) < 5 {
				t.Fatalf("only %d stored files were looked at", len(kept))
			}
			found := map[string]bool{} // by file
			for _, l := range scan(kept, people(w)) {
				if c.state == byPassphrase {
					t.Errorf("%s names %s, written as %s", l.where, l.secret, l.encoding)
				}
				found[l.where] = true
			}
			if c.state != byPassphrase {
				// The scan finds them where they are: in the plan, a snapshot and a slot of the journal.
				for _, part := range []string{"saved.plan", "/snap/", "/log/"} {
					if !slices.ContainsFunc(slices.Collect(maps.Keys(found)), func(where string) bool { return strings.Contains(where, part) }) {
						t.Errorf("nobody was found in %s, without encryption: %v", part, slices.Sorted(maps.Keys(found)))
					}
				}
			}
		})
	}
}

// stored is what lies in the bucket or may be carried elsewhere.
func (h haystack) stored() haystack {
	out := haystack{}
	for where, data := range h {
		if path, is := strings.CutPrefix(where, "file "); is && (strings.Contains(path, "/t/") || strings.HasSuffix(path, ".plan")) {
			out[where] = data
		}
	}
	return out
}

// people are the addresses and names of everybody in the directories of a world.
func people(w *world.World) []string {
	w.RLock()
	defer w.RUnlock()
	var out []string
	add := func(texts ...string) {
		for _, text := range texts {
			if len(text)*3/4 >= start && text != w.Automation.EssentialsUser {
				out = append(out, text)
			}
		}
	}
	for _, t := range w.Tenants {
		for _, p := range t.People {
			add(p.UserPrincipalName, p.Mail, p.DisplayName)
		}
		for _, g := range t.Groups {
			add(g.Mail)
		}
		for _, c := range t.Contacts {
			add(c.Mail, c.DisplayName)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// plant shows that the scan of these very outputs would have found a secret, whatever it was written as.
func plant(t *testing.T, h haystack, secrets []string) {
	t.Helper()
	secret := secrets[len(secrets)/2]
	host := ""
	for name, data := range h {
		if host == "" || len(data) < len(h[host]) {
			host = name // the shortest: what surrounds the secret does not matter
		}
	}
	for encoding, needle := range needles(secret) {
		planted := haystack{host: slices.Concat(h[host], []byte(needle), []byte("…"))}
		if !slices.ContainsFunc(scan(planted, secrets), func(l leak) bool { return l.secret == secret && l.encoding == encoding }) {
			t.Errorf("a secret planted as %s was not found", encoding)
		}
	}
}

// TestScanLooksIntoContainers: compressed, and inside a longer text that is base64.
func TestScanLooksIntoContainers(t *testing.T) {
	const secret = "CANARY-planted-0123456789abcdef" + awkward
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }()
	for name, data := range map[string][]byte{
		"compressed behind a header": append([]byte("weir1 plain 00\n"), z.EncodeAll([]byte(`{"value": "`+secret+`"}`), nil)...),
		"basic authentication":       []byte(base64.StdEncoding.EncodeToString([]byte("user@msp.example:" + secret))),
		"one byte before":            []byte(base64.StdEncoding.EncodeToString([]byte("x" + secret + "yz"))),
		"two bytes before":           []byte(base64.RawURLEncoding.EncodeToString([]byte("xy" + secret))),
		"nothing before":             []byte(base64.StdEncoding.EncodeToString([]byte(secret))),
		"form":                       []byte(url.Values{"client_secret": {secret}}.Encode()),
	} {
		if len(scan(haystack{name: data}, []string{secret})) == 0 {
			t.Errorf("%s: not found", name)
		}
		if found := scan(haystack{name: data}, []string{"CANARY-another-0123456789abcdef" + awkward}); len(found) != 0 {
			t.Errorf("%s: found what is not there: %v", name, found)
		}
	}
}
