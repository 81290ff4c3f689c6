package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-project/weir/providers/sim/world"
	"github.com/weir-project/weir/state/keys"
)

// Keys that protect nothing but these tests.
const (
	passphrase      = "correct horse battery staple"
	recipient       = "age10c24pdy2ys964qclszht4ep84c8gf7vs8sknkl2kdu23rfyyjcvscqd5t3"
	identity        = "AGE-SECRET-KEY-18KHYSGFKX8NGD00NZ35FR843GSP3G4HF4SF5KX3UHRKY5SGNJVLQ332L7S"
	otherRecipient  = "age1a9ma87sw6t7vernr4n8lpvtkuk3jw6z25ccqy6q3j0v7det30g8qjs6zl2"
	otherIdentity   = "AGE-SECRET-KEY-1HMLMFD3HS8QXR2GGFG06WETH083JY66TYF7DLKMNDL0UGWFP5DWQWUWNQA"
	keeperKey       = "base64key://7SQL-Dej6seMaa-bBTtSaK_Th0D5ZRlkU8sjVP9iHcc="
	otherKeeperKey  = "base64key://aiyJNkdbfxzV6_wmQbCjiNSejYQCbh5Cu2K1Dvwuc6U="
	byPassphrase    = `encryption { passphrase = secret("env://PASSPHRASE") }`
	byRecipients    = "encryption {\n      recipients = [\"" + recipient + "\"]\n      identity   = secret(\"env://IDENTITY\")\n    }"
	byKeeper        = `encryption { keeper = secret("env://KEEPER") }`
	inPlaintext     = "plaintext = true"
	customersConfig = `
provider "essentials" "us1" {
  stack    = "us1"
  user     = env("ESSENTIALS_USER")
  password = secret("env://ESSENTIALS_PASSWORD")
}
`
)

// customer is the block of one organization.
func customer(key string) string {
	return fmt.Sprintf("\ntenant %q {\n  name           = %[1]q\n  primary_domain = \"%[1]s.example\"\n  parent         = \"msp.example\"\n  package        = \"advanced_plus\"\n  licenses       = 20\n"+
		"  purchases      = \"onboarding\"\n  admin {\n    email      = \"it@%[1]s.example\"\n    first_name = \"It\"\n    last_name  = \"It\"\n  }\n}\n", key)
}

// keepState writes the state block of the site: the bucket in the site's folder, and what else stands there.
func (s *site) keepState(block string) {
	s.t.Helper()
	s.write("state.weir.hcl", fmt.Sprintf("weir {\n  state {\n    url = %q\n    %s\n  }\n}\n", "file://"+filepath.ToSlash(filepath.Join(s.dir, "bucket")), block))
}

// fingerprint is the names, sizes and digests of all files below a folder.
func fingerprint(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		sum := sha256.Sum256(data)
		_, _ = fmt.Fprintf(&b, "%s %d %s\n", strings.TrimPrefix(path, dir), len(data), hex.EncodeToString(sum[:]))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestEncryptionMisconfigured: settings of encryption that cannot be right write nothing and ask no vendor, say what to
// do, and once mended the same command works.
func TestEncryptionMisconfigured(t *testing.T) {
	secrets := map[string]string{"PASSPHRASE": passphrase, "IDENTITY": identity, "KEEPER": keeperKey, "OTHER": "a passphrase of somebody else"}
	// origin has a bucket with two tenants a kind of protection.
	origin := newSite(t, "quickstart", world.Quickstart())
	if err := os.Remove(filepath.Join(origin.dir, "main.weir.hcl")); err != nil {
		t.Fatal(err)
	}
	for name, value := range secrets {
		origin.env[name] = value
	}
	origin.write("main.weir.hcl", customersConfig+customer("contoso")+customer("fabrikam"))
	buckets := map[string]string{}
	for _, block := range []string{byPassphrase, byRecipients, byKeeper, inPlaintext} {
		origin.keepState(block)
		origin.weir(0, "apply", "--auto-approve")
		origin.empty()
		buckets[block] = t.TempDir()
		for _, name := range []string{"bucket", "weir.lock.json"} {
			if err := os.Rename(filepath.Join(origin.dir, name), filepath.Join(buckets[block], name)); err != nil {
				t.Fatal(err)
			}
		}
	}

	for _, row := range []struct {
		name   string
		bucket string            // how its two tenants are protected
		block  string            // what the state block says
		env    map[string]string // over secrets
		more   string            // further configuration
		break_ func(t *testing.T, bucket string)
		args   []string
		want   []string // what the message names
		// mended is the state block with which it works; "" when the environment or the bucket is what was wrong.
		mended string
	}{
		{
			name: "wrong passphrase", bucket: byPassphrase, block: byPassphrase, env: map[string]string{"PASSPHRASE": "another passphrase altogether"},
			want: []string{"encrypted with another key", "passphrase = secret", "previous block"},
		},
		{
			name: "empty passphrase", bucket: byPassphrase, block: byPassphrase, env: map[string]string{"PASSPHRASE": ""},
			want: []string{"passphrase: secret(env://PASSPHRASE) is empty", "state.weir.hcl line 4", "Set it"},
		},
		{
			name: "short passphrase", bucket: byPassphrase, block: byPassphrase, env: map[string]string{"PASSPHRASE": "short"},
			want: []string{"encryption.passphrase", "5 characters", "at least 16"},
		},
		{
			name: "variable not set", bucket: byPassphrase, block: `encryption { passphrase = secret("env://NOBODY_SET_THIS") }`,
			want: []string{"NOBODY_SET_THIS is not set", "state.weir.hcl line 4"}, mended: byPassphrase,
		},
		{
			name: "no encryption block", bucket: byRecipients, block: "",
			want: []string{"State is encrypted", "no encryption block"}, mended: byRecipients,
		},
		{
			name: "plaintext where state is encrypted", bucket: byRecipients, block: inPlaintext,
			want: []string{"State is encrypted", "plaintext = true"}, mended: byRecipients,
		},
		{
			name: "encryption where state is plaintext", bucket: inPlaintext, block: byPassphrase,
			want: []string{"State is not encrypted", "weir state rekey --from-plaintext"}, mended: inPlaintext,
		},
		{
			name: "plaintext and encryption", bucket: byRecipients, block: inPlaintext + "\n    " + byRecipients,
			want: []string{"Invalid encryption", "Take one of them out"}, mended: byRecipients,
		},
		{
			name: "recipients without identity", bucket: byRecipients, block: `encryption { recipients = ["` + recipient + `"] }`,
			want: []string{"recipients", "identity = secret("}, mended: byRecipients,
		},
		{
			name: "identity of somebody else", bucket: byRecipients, block: byRecipients, env: map[string]string{"IDENTITY": otherIdentity},
			want: []string{"encryption.identities", "none belongs to any of the recipients", "line 6"},
		},
		{
			name: "key pair of somebody else", bucket: byRecipients, block: strings.ReplaceAll(byRecipients, recipient, otherRecipient), env: map[string]string{"IDENTITY": otherIdentity},
			want: []string{"encrypted with another key", "age for " + recipient}, mended: byRecipients,
		},
		{
			name: "malformed identity", bucket: byRecipients, block: byRecipients, env: map[string]string{"IDENTITY": strings.ToLower(identity[:40])},
			want: []string{"encryption.identities[0]", "no age identity", "copy it again"},
		},
		{
			name: "malformed recipient", bucket: byRecipients, block: strings.ReplaceAll(byRecipients, recipient, recipient[:50]),
			want: []string{"encryption.recipients[0]", "no age recipient", "copy it again"}, mended: byRecipients,
		},
		{
			name: "base64key without a key", bucket: byKeeper, block: `encryption { keeper = "base64key://" }`,
			want: []string{"encryption.keeper", "the key is missing"}, mended: byKeeper,
		},
		{
			name: "keeper of unknown scheme", bucket: byKeeper, block: `encryption { keeper = "hashivault://weir" }`,
			want: []string{"encryption.keeper", "awskms://, azurekeyvault://, gcpkms://"}, mended: byKeeper,
		},
		{
			name: "keeper with an endpoint", bucket: byKeeper, block: `encryption { keeper = "awskms://alias/weir?region=eu-central-1&endpoint=https://attacker.example" }`,
			want: []string{"encryption.keeper", `"endpoint" is not taken`}, mended: byKeeper,
		},
		{
			name: "keeper with another key", bucket: byKeeper, block: byKeeper, env: map[string]string{"KEEPER": otherKeeperKey},
			want: []string{"encrypted with another key", "keeper = secret", "previous block"},
		},
		{
			name: "two kinds", bucket: byKeeper, block: `encryption {
      passphrase = secret("env://PASSPHRASE")
      keeper     = secret("env://KEEPER")
    }`,
			want: []string{"exactly one kind of key", "passphrase and keeper", "escrow"}, mended: byKeeper,
		},
		{
			name: "malformed escrow", bucket: byKeeper, block: `encryption {
      keeper = secret("env://KEEPER")
      escrow {
        recipients = ["age1nobody"]
      }
    }`,
			want: []string{"encryption.escrow[0].recipients[0]", "no age recipient", "line 7"}, mended: byKeeper,
		},
		{
			name: "previous without its secret", bucket: byKeeper, block: `encryption {
      keeper = secret("env://KEEPER")
      previous {
        passphrase = secret("env://NOBODY_SET_THIS")
      }
    }`,
			want: []string{"NOBODY_SET_THIS is not set", "line 7"}, mended: byKeeper,
		},
		{
			name: "new tenant under another passphrase", bucket: byPassphrase, block: `encryption { passphrase = secret("env://OTHER") }`,
			more: customer("wingtip"), args: []string{"--tenant", "wingtip"},
			want: []string{"encrypted with another key", "previous block"}, mended: byPassphrase,
		},
		{
			name: "new tenant in plaintext beside encrypted ones", bucket: byRecipients, block: inPlaintext,
			more: customer("tailspin"), args: []string{"--tenant", "tailspin"},
			want: []string{"State is encrypted", "plaintext = true"}, mended: byRecipients,
		},
		{
			name: "head of another tenant", bucket: byRecipients, block: byRecipients, args: []string{"--tenant", "fabrikam"},
			break_: func(t *testing.T, bucket string) {
				head, err := os.ReadFile(filepath.Join(bucket, "t", "contoso", "head"))
				if err == nil {
					err = os.WriteFile(filepath.Join(bucket, "t", "fabrikam", "head"), head, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			},
			want: []string{"t/fabrikam/head", "damaged"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := &site{t: t, dir: t.TempDir(), server: origin.server, env: map[string]string{}}
			for name, value := range origin.env {
				s.env[name] = value
			}
			s.env["WEIR_HOME"] = t.TempDir() // each row is a copy, older than what another row left
			if err := os.CopyFS(s.dir, os.DirFS(buckets[row.bucket])); err != nil {
				t.Fatal(err)
			}
			s.write("main.weir.hcl", customersConfig+customer("contoso")+customer("fabrikam")+row.more)
			for _, domain := range []string{"contoso.example", "fabrikam.example"} { // something to write
				s.portal(fmt.Sprintf(`{"organization": %q, "set": {"name": "Renamed by hand"}}`, domain))
			}
			bucket := filepath.Join(s.dir, "bucket")
			if row.break_ != nil {
				row.break_(t, bucket)
			}
			s.keepState(row.block)
			for name, value := range row.env {
				s.env[name] = value
			}
			before := fingerprint(t, s.dir)
			s.server.ClearJournal()
			commands := [][]string{{"apply", "--auto-approve"}, {"plan", "--out", "saved.plan"}}
			if row.name == "wrong passphrase" {
				commands = append(commands, []string{"drift"}, []string{"state", "list"}, []string{"output"}, []string{"destroy", "--auto-approve"})
			}
			for _, command := range commands {
				code, stdout, stderr := s.run(append(command, row.args...)...)
				if code != 1 {
					t.Errorf("weir %s: exit code %d\n%s\n%s", strings.Join(command, " "), code, tail(stdout), tail(stderr))
				}
				for _, want := range row.want {
					if !strings.Contains(unwrapped(stdout+stderr), want) {
						t.Errorf("weir %s does not say %q:\n%s%s", strings.Join(command, " "), want, tail(stdout), tail(stderr))
					}
				}
				for _, secret := range s.env {
					if secrets := []string{passphrase, identity, otherIdentity, keeperKey, otherKeeperKey}; contains(secrets, secret) && strings.Contains(stdout+stderr, secret) {
						t.Errorf("weir %s shows a secret:\n%s%s", strings.Join(command, " "), stdout, stderr)
					}
				}
			}
			_ = os.Remove(filepath.Join(s.dir, "saved.plan")) // of a plan whose tenants could not be planned
			if after := fingerprint(t, s.dir); after != before {
				t.Errorf("something was written:\n%s\nbefore:\n%s", after, before)
			}
			if calls := s.server.Journal(); len(calls) > 0 {
				t.Errorf("%d vendor calls, the first %s %s", len(calls), calls[0].Method, calls[0].Path)
			}

			// The twin.
			for name := range row.env {
				s.env[name] = secrets[name]
			}
			if row.mended != "" {
				s.keepState(row.mended)
			}
			if row.break_ != nil {
				if err := os.RemoveAll(bucket); err != nil {
					t.Fatal(err)
				}
				if err := os.CopyFS(bucket, os.DirFS(filepath.Join(buckets[row.bucket], "bucket"))); err != nil {
					t.Fatal(err)
				}
			}
			s.weir(0, append([]string{"apply", "--auto-approve"}, row.args...)...)
			if fingerprint(t, s.dir) == before {
				t.Error("the mended apply wrote nothing, so the refused one proved nothing")
			}
			s.empty(row.args...)
		})
	}
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}

// unwrapped is text without its line breaks.
func unwrapped(s string) string { return strings.Join(strings.Fields(s), " ") }

// TestPlanFileIsSealed: an encrypted plan file that was opened and rewritten, damaged, cut or made for another
// configuration is neither shown nor applied.
func TestPlanFileIsSealed(t *testing.T) {
	s := newSite(t, "quickstart", world.Quickstart())
	s.env["PASSPHRASE"] = passphrase
	s.write("main.weir.hcl", customersConfig+customer("contoso"))
	s.keepState(byPassphrase)
	s.weir(0, "plan", "--out", "saved.plan")
	file := s.read("saved.plan")
	line, sealed, found := strings.Cut(file, "\n")
	configuration, is := strings.CutPrefix(line, "weir-plan encrypted ")
	if !found || !is {
		t.Fatalf("the plan file begins with %q", line)
	}
	ring, err := keys.New(t.Context(), keys.Options{Current: keys.Settings{Passphrase: passphrase}})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := ring.OpenFile(t.Context(), "plan "+configuration, []byte(sealed))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, file, show, apply string }{
		// Readable, since it is what a configuration without encryption makes, but nobody with the key made it.
		{"opened", string(plain), "", "the plan is not encrypted, and this configuration encrypts its plans"},
		{"another configuration", "weir-plan encrypted cfg-0\n" + sealed, "damaged or was changed", "damaged or was changed"},
		{"the line is gone", sealed, "not a plan file", "not a plan file"},
		{"no configuration", "weir-plan encrypted \n" + sealed, "not a plan file", "not a plan file"},
		{"only the line", line + "\n", "damaged or was changed", "damaged or was changed"},
		{"newer seal", strings.Replace(file, "weir-sealed 1", "weir-sealed 2", 1), "newer weir", "newer weir"},
		{"first line flipped", flip(file, len(line)+60), "changed.plan", "changed.plan"},
		{"first byte of the body flipped", flip(file, len(line)+1+strings.Index(sealed, "\n")+1), "damaged or was changed", "damaged or was changed"},
		{"last byte flipped", flip(file, len(file)-1), "damaged or was changed", "damaged or was changed"},
		{"cut by one", file[:len(file)-1], "damaged or was changed", "damaged or was changed"},
		{"cut in half", file[:len(file)/2], "damaged or was changed", "damaged or was changed"},
		{"longer by one", file + "x", "damaged or was changed", "damaged or was changed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s.write("changed.plan", row.file)
			s.server.ClearJournal()
			for command, want := range map[string]string{"show": row.show, "apply": row.apply} {
				code, stdout, stderr := s.run(command, "changed.plan")
				if want == "" {
					if code != 0 || !strings.Contains(stdout, "tenant.contoso") {
						t.Errorf("weir %s: exit code %d\n%s%s", command, code, tail(stdout), tail(stderr))
					}
					continue
				}
				if code != 1 || stdout != "" || !strings.Contains(unwrapped(stderr), want) {
					t.Errorf("weir %s: exit code %d, want 1 and %q\n%s%s", command, code, want, tail(stdout), tail(stderr))
				}
			}
			if calls := s.server.Journal(); len(calls) > 0 {
				t.Errorf("%d vendor calls", len(calls))
			}
			if _, err := os.Stat(filepath.Join(s.dir, "bucket", "t")); err == nil {
				t.Error("state was written")
			}
		})
	}
	s.weir(0, "show", "saved.plan")
	s.weir(0, "apply", "saved.plan")
	s.empty()
}

// flip changes one byte.
func flip(s string, i int) string {
	b := []byte(s)
	b[i] ^= 1
	return string(b)
}
