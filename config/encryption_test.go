package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/weir-project/weir/providers/resource"
)

// encrypted is a weir block with an encryption block; its body begins on line 3.
func encrypted(body string) string {
	return "weir {\n  state { # url is the default\n    encryption {\n" + body + "\n    }\n  }\n}\n"
}

func TestEncryption(t *testing.T) {
	ref := func(name string) *resource.SecretRef { return &resource.SecretRef{URL: "env://" + name} }
	for _, row := range []struct {
		name, body string
		want       Encryption
	}{
		{"passphrase", `passphrase = secret("env://P")`, Encryption{Current: KeySettings{Passphrase: ref("P")}}},
		{"recipients", "recipients = [\"age1a\", local.b]\nidentity = secret(\"env://I\")", Encryption{Current: KeySettings{Recipients: []string{"age1a", "age1b"}, Identities: []*resource.SecretRef{ref("I")}}}},
		{"identities", "recipients = [\"age1a\"]\nidentities = [secret(\"env://I\"), secret(\"env://J\")]", Encryption{Current: KeySettings{Recipients: []string{"age1a"}, Identities: []*resource.SecretRef{ref("I"), ref("J")}}}},
		{"keeper", `keeper = "azurekeyvault://${env("VAULT")}/keys/weir"`, Encryption{Current: KeySettings{Keeper: "azurekeyvault://msp/keys/weir"}}},
		{"secret keeper", `keeper = secret("env://K")`, Encryption{Current: KeySettings{KeeperSecret: ref("K")}}},
		{"missing key", `keeper = "base64key://"`, Encryption{Current: KeySettings{Keeper: "base64key://"}}},
		{"read with an identity", "passphrase = secret(\"env://P\")\nprevious {\n  identity = secret(\"env://I\")\n}", Encryption{Current: KeySettings{Passphrase: ref("P")}, Previous: []KeySettings{{Identities: []*resource.SecretRef{ref("I")}}}}},
		{"null is left out", "passphrase = secret(\"env://P\")\nkeeper = null", Encryption{Current: KeySettings{Passphrase: ref("P")}}},
		{
			"all", "passphrase = secret(\"env://P\")\nescrow { recipients = [\"age1a\"] }\nescrow {\n  keeper = \"awskms://k\"\n}\nescrow {\n  recipients = [\"age1b\"]\n  identity = secret(\"env://I\")\n}\n" +
				"previous { keeper = \"awskms://old\" }\nprevious { passphrase = secret(\"env://O\") }",
			Encryption{
				Current:  KeySettings{Passphrase: ref("P")},
				Escrow:   []KeySettings{{Recipients: []string{"age1a"}}, {Keeper: "awskms://k"}, {Recipients: []string{"age1b"}, Identities: []*resource.SecretRef{ref("I")}}},
				Previous: []KeySettings{{Keeper: "awskms://old"}, {Passphrase: ref("O")}},
			},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := mustLoad(t, files(encrypted(row.body)+"locals {\n  b = \"age1b\"\n}"))
			if diags := g.Validate(); diags.HasErrors() {
				t.Fatalf("validate: %s", text(diags, g))
			}
			s, diags := g.Settings(Inputs{Env: func(name string) (string, bool) { return "msp", name == "VAULT" }})
			if diags.HasErrors() {
				t.Fatal(text(diags, g))
			}
			got := *s.Encryption
			for _, k := range append(append([]*KeySettings{&got.Current}, pointers(got.Escrow)...), pointers(got.Previous)...) {
				if k.Range.Filename == "" || len(k.Ranges) == 0 {
					t.Errorf("no ranges: %+v", k)
				}
				k.Range, k.Ranges = hcl.Range{}, nil
			}
			if !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
}

func pointers(list []KeySettings) []*KeySettings {
	var out []*KeySettings
	for i := range list {
		out = append(out, &list[i])
	}
	return out
}

func TestEncryptionRefused(t *testing.T) {
	for _, row := range []struct {
		name, src, at string
		want          []string
	}{
		{"empty", encrypted(""), "3,5-15", []string{"An encryption block needs one of", `secret("env://…")`}},
		{"all null", encrypted("keeper = null"), "3,5-15", []string{"needs one of"}},
		{"two kinds", encrypted("keeper = \"awskms://k\"\npassphrase = secret(\"env://P\")"), "5,14-31", []string{"here are keeper and passphrase", "an escrow block", "a previous block"}},
		{"nearest name", encrypted(`passphrse = secret("env://P")`), "4,1-10", []string{"Unsupported argument", `Did you mean "passphrase"?`}},
		{"nearest block", encrypted("passphrase = secret(\"env://P\")\nescro {\n}"), "5,1-6", []string{"Unsupported block type", `Did you mean "escrow"?`}},
		{"written secret", encrypted(`passphrase = "correct horse battery staple"`), "4,14-44", []string{"never written in a file", `secret("env://NAME")`}},
		{"written identity", encrypted("recipients = [\"age1a\"]\nidentities = [\"AGE-SECRET-KEY-1\"]"), "5,14-34", []string{"never written in a file"}},
		{"written key", encrypted(`keeper = "base64key://c2VjcmV0"`), "3,5-15", []string{"never written in a file", `keeper = secret("env://NAME")`}},
		{"keeper no text", encrypted(`keeper = ["awskms://k"]`), "4,10-24", []string{"expected text"}},
		{"recipients alone", encrypted(`recipients = ["age1a"]`), "4,14-23", []string{"could not be read again", "identity = secret("}},
		{"no recipient", encrypted("recipients = []\nidentity = secret(\"env://I\")"), "4,14-16", []string{"recipients is empty"}},
		{"empty recipient", encrypted("recipients = [\"age1a\", \"\"]\nidentity = secret(\"env://I\")"), "4,14-27", []string{"A recipient is empty"}},
		{"recipients no list", encrypted("recipients = \"age1a\"\nidentity = secret(\"env://I\")"), "4,14-21", []string{"Expected a list of texts"}},
		{"identity twice", encrypted("recipients = [\"age1a\"]\nidentity = secret(\"env://I\")\nidentities = [secret(\"env://J\")]"), "6,14-33", []string{"write all of them in identities"}},
		{"identity of a passphrase", encrypted("passphrase = secret(\"env://P\")\nidentity = secret(\"env://I\")"), "5,12-29", []string{"belongs to recipients"}},
		{"identity alone", encrypted(`identity = secret("env://I")`), "3,5-15", []string{"needs one of"}},
		{"empty keeper", encrypted(`keeper = ""`), "4,10-12", []string{"keeper is empty"}},
		{"escrow with passphrase", encrypted("passphrase = secret(\"env://P\")\nescrow {\npassphrase = secret(\"env://Q\")\n}"), "6,14-31", []string{"An escrow block has recipients"}},
		{"escrow empty", encrypted("passphrase = secret(\"env://P\")\nescrow {\n}"), "5,1-7", []string{"An escrow block needs recipients"}},
		{"escrow two kinds", encrypted("passphrase = secret(\"env://P\")\nescrow {\nrecipients = [\"age1a\"]\nkeeper = \"awskms://k\"\n}"), "7,10-22", []string{"An escrow block has exactly one kind"}},
		{"previous without identity", encrypted("passphrase = secret(\"env://P\")\nprevious {\nrecipients = [\"age1a\"]\n}"), "6,14-23", []string{"could not be read again"}},
		{"previous empty", encrypted("passphrase = secret(\"env://P\")\nprevious {\n}"), "5,1-9", []string{"A previous block needs one of"}},
		{"twice", "weir {\n  state {\n    encryption {\n      keeper = \"awskms://k\"\n    }\n    encryption {\n    }\n  }\n}", "6,5-15", []string{"Declared twice"}},
		{"plaintext too", "weir {\n  state {\n    plaintext = true\n    encryption {\n      keeper = \"awskms://k\"\n    }\n  }\n}", "3,17-21", []string{"Take one of them out"}},
		{"not known", encrypted("passphrase = var.p ? secret(\"env://P\") : secret(\"env://Q\")") + "variable \"p\" {\n  type = bool\n}", "4,14-59", []string{`"passphrase" of the weir block uses var.p`, "WEIR_VAR_p", `secret("env://NAME")`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			g, diags := Load(files(row.src), ".", testRegistry())
			if !diags.HasErrors() {
				_, more := g.Settings(Inputs{})
				diags = append(diags, more...)
			}
			got := text(diags, g)
			for _, want := range row.want {
				if !strings.Contains(got, want) {
					t.Errorf("want %q in\n%s", want, got)
				}
			}
			at := "nowhere"
			if len(diags) > 0 && diags[0].Subject != nil {
				r := diags[0].Subject
				at = fmt.Sprintf("%d,%d-%d", r.Start.Line, r.Start.Column, r.End.Column)
			}
			if at != row.at || len(diags) != 1 {
				t.Errorf("%d findings, the first at %s, want one at %s\n%s", len(diags), at, row.at, got)
			}
		})
	}
}

// TestSettingsNeedNoVariables: what the weir block does not use need not be given.
func TestSettingsNeedNoVariables(t *testing.T) {
	g := mustLoad(t, files(encrypted(`passphrase = secret("env://${var.name}")`)+"variable \"other\" {\n  type = string\n}\nvariable \"name\" {\n  default = \"P\"\n}\ntenant \"x\" {\n  primary_domain = var.other\n}"))
	s, diags := g.Settings(Inputs{})
	if diags.HasErrors() || s.Encryption == nil || s.Encryption.Current.Passphrase.URL != "env://P" {
		t.Fatalf("%+v\n%s", s, text(diags, g))
	}
	if _, diags = g.Frame(Inputs{}); !diags.HasErrors() {
		t.Error("the frame was evaluated without a value for a required variable")
	}
	s, diags = g.Settings(Inputs{Vars: []VarInput{{Name: "name", Text: "Q", Source: "WEIR_VAR_name"}}})
	if diags.HasErrors() || s.Encryption.Current.Passphrase.URL != "env://Q" {
		t.Fatalf("%+v\n%s", s, text(diags, g))
	}
	if s, diags := mustLoad(t, files(providers)).Settings(Inputs{}); diags.HasErrors() || s.Encryption != nil {
		t.Errorf("without a weir block: %+v, %v", s, diags)
	}
}
