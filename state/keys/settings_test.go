package keys

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

func TestSettingsRefused(t *testing.T) {
	recipient, identity := pair(t)
	other, otherIdentity := pair(t)
	hybrid, hybridIdentity := hybridPair(t)
	with := func(s Settings) Options { return Options{Current: s} }
	keeper := func(url string) Options { return with(Settings{Keeper: url}) }
	escrow := func(s Settings) Options {
		return Options{Current: Settings{Passphrase: goodPassphrase}, Escrow: []Settings{s}}
	}
	prev := func(s Settings) Options {
		return Options{Current: Settings{Passphrase: goodPassphrase}, Previous: []Settings{s}}
	}
	sum := "0123456789abcdef0123456789abcdef"
	tests := map[string]struct {
		o       Options
		setting string
		detail  string // part of it
	}{
		"none":                        {with(Settings{}), "encryption", "not set or empty"},
		"empty passphrase":            {with(Settings{Passphrase: ""}), "encryption", "not set or empty"},
		"white passphrase":            {with(Settings{Passphrase: " \n"}), "encryption.passphrase", "white space"},
		"short passphrase":            {with(Settings{Passphrase: "secret1 secret2"}), "encryption.passphrase", "15 characters"},
		"short in letters":            {with(Settings{Passphrase: "äöüäöüäöüäöü"}), "encryption.passphrase", "12 characters"},
		"passphrase with line end":    {with(Settings{Passphrase: goodPassphrase + "\n"}), "encryption.passphrase", "line end"},
		"huge passphrase":             {with(Settings{Passphrase: strings.Repeat("x", 1025)}), "encryption.passphrase", "at most 1024"},
		"passphrase and keeper":       {with(Settings{Passphrase: goodPassphrase, Keeper: localKeeper("k")}), "encryption", "exclude each other"},
		"passphrase and identity":     {with(Settings{Passphrase: goodPassphrase, Identities: []string{identity}}), "encryption", "exclude each other"},
		"keeper and recipient":        {with(Settings{Keeper: localKeeper("k"), Recipients: []string{recipient}}), "encryption", "exclude each other"},
		"malformed recipient":         {with(Settings{Recipients: []string{recipient, recipient[:50]}, Identities: []string{identity}}), "encryption.recipients[1]", "no age recipient"},
		"ssh recipient":               {with(Settings{Recipients: []string{"ssh-ed25519 AAAA"}, Identities: []string{identity}}), "encryption.recipients[0]", "SSH keys"},
		"empty recipient":             {with(Settings{Recipients: []string{""}, Identities: []string{identity}}), "encryption.recipients[0]", "empty"},
		"identity as recipient":       {with(Settings{Recipients: []string{identity}, Identities: []string{identity}}), "encryption.recipients[0]", "secret key"},
		"malformed identity":          {with(Settings{Recipients: []string{recipient}, Identities: []string{identity[:60]}}), "encryption.identities[0]", "no age identity"},
		"recipient as identity":       {with(Settings{Recipients: []string{recipient}, Identities: []string{recipient}}), "encryption.identities[0]", "no age identity"},
		"empty identity":              {with(Settings{Recipients: []string{recipient}, Identities: []string{"# created\n"}}), "encryption.identities[0]", "empty"},
		"identity of somebody else":   {with(Settings{Recipients: []string{recipient}, Identities: []string{otherIdentity}}), "encryption.identities", "none belongs"},
		"recipients without identity": {with(Settings{Recipients: []string{recipient}}), "encryption.identities", "could not be read again"},
		"identity without recipients": {with(Settings{Identities: []string{identity}}), "encryption.recipients", "no recipients"},
		"mixed recipients":            {with(Settings{Recipients: []string{recipient, hybrid}, Identities: []string{hybridIdentity}}), "encryption.recipients", "quantum"},
		"many recipients":             {with(Settings{Recipients: slices.Repeat([]string{recipient}, 11), Identities: []string{identity}}), "encryption.recipients", "at most 10"},

		"escrow passphrase":          {escrow(Settings{Passphrase: goodPassphrase}), "encryption.escrow[0].passphrase", "age recipients or a keeper"},
		"escrow empty":               {escrow(Settings{}), "encryption.escrow[0]", "not set or empty"},
		"escrow malformed":           {escrow(Settings{Recipients: []string{"age1"}}), "encryption.escrow[0].recipients[0]", "no age recipient"},
		"escrow of somebody else":    {escrow(Settings{Recipients: []string{other}, Identities: []string{identity}}), "encryption.escrow[0].identities", "none belongs"},
		"escrow identity alone":      {escrow(Settings{Identities: []string{identity}}), "encryption.escrow[0].recipients", "no recipients"},
		"many escrows":               {Options{Current: Settings{Passphrase: goodPassphrase}, Escrow: slices.Repeat([]Settings{{Recipients: []string{recipient}}}, 9)}, "encryption.escrow", "at most 8"},
		"previous without identity":  {prev(Settings{Recipients: []string{recipient}}), "encryption.previous[0].identities", "no identities"},
		"previous short passphrase":  {prev(Settings{Passphrase: "short"}), "encryption.previous[0].passphrase", "5 characters"},
		"many previous":              {Options{Current: Settings{Passphrase: goodPassphrase}, Previous: slices.Repeat([]Settings{{Passphrase: goodPassphrase}}, 9)}, "encryption.previous", "at most 8"},
		"no URL":                     {keeper(goodPassphrase), "encryption.keeper", "not a keeper's URL"},
		"unknown scheme":             {keeper("hashivault://key"), "encryption.keeper", "not a keeper's URL"},
		"wrapped scheme":             {keeper("secrets+" + localKeeper("k")), "encryption.keeper", "not a keeper's URL"},
		"upper case":                 {keeper("AWSKMS://alias/x"), "encryption.keeper", "not a keeper's URL"},
		"opaque":                     {keeper("base64key:" + sum), "encryption.keeper", "not a URL"},
		"base64key without key":      {keeper("base64key://"), "encryption.keeper", "the key is missing"},
		"base64key with slash":       {keeper("base64key:///"), "encryption.keeper", "the key is missing"},
		"base64key short":            {keeper("base64key://c2hvcnQ="), "encryption.keeper", "5 bytes; it must have 32"},
		"base64key not base64":       {keeper("base64key://" + strings.Repeat("!", 44)), "encryption.keeper", "URL-safe base64"},
		"base64key other alphabet":   {keeper("base64key://" + strings.Repeat("a", 20) + "/" + strings.Repeat("a", 22) + "="), "encryption.keeper", "write - for +"},
		"base64key zeros":            {keeper("base64key://" + strings.Repeat("A", 43) + "="), "encryption.keeper", "sample"},
		"base64key documented":       {keeper("base64key://smGbjm71Nxd1Ig5FS0wj9SlbzAIrnolCz9bQQ6uAhl4="), "encryption.keeper", "sample"},
		"base64key parameter":        {keeper(localKeeper("k") + "?x=1"), "encryption.keeper", `"x" is not taken`},
		"base64key user":             {keeper(strings.Replace(localKeeper("k"), "//", "//me@", 1)), "encryption.keeper", "no user"},
		"aws endpoint":               {keeper("awskms://alias/x?region=eu-central-1&endpoint=http://evil.example"), "encryption.keeper", `"endpoint" is not taken`},
		"aws immutable":              {keeper("awskms://alias/x?hostname_immutable=true"), "encryption.keeper", `"hostname_immutable" is not taken`},
		"aws anonymous":              {keeper("awskms://alias/x?anonymous=true"), "encryption.keeper", `"anonymous" is not taken`},
		"aws profile":                {keeper("awskms://alias/x?profile=other"), "encryption.keeper", `"profile" is not taken`},
		"aws region as host":         {keeper("awskms://alias/x?region=evil.example/"), "encryption.keeper", `"region" has no value`},
		"aws region twice":           {keeper("awskms://alias/x?region=eu-central-1&region=eu-west-1"), "encryption.keeper", `"region" has no value`},
		"aws context without a name": {keeper("awskms://alias/x?context_=1"), "encryption.keeper", `"context_" is not taken`},
		"aws without key":            {keeper("awskms://?region=eu-central-1"), "encryption.keeper", "not the id"},
		"aws port":                   {keeper("awskms://alias:80@x/x"), "encryption.keeper", "no user"},
		"azure other host":           {keeper("azurekeyvault://name.vault.evil.example/keys/k/1"), "encryption.keeper", "not a vault's"},
		"azure host with port":       {keeper("azurekeyvault://name.vault.azure.net:80/keys/k/1"), "encryption.keeper", "not a vault's"},
		"azure user":                 {keeper("azurekeyvault://name.vault.azure.net@evil.example/keys/k/1"), "encryption.keeper", "no user"},
		"azure without version":      {keeper("azurekeyvault://name.vault.azure.net/keys/k"), "encryption.keeper", "version is missing"},
		"azure path":                 {keeper("azurekeyvault://name.vault.azure.net/secrets/k/1"), "encryption.keeper", "path is not"},
		"azure weak algorithm":       {keeper("azurekeyvault://name.vault.azure.net/keys/k/1?algorithm=RSA1_5"), "encryption.keeper", `"algorithm" has no value`},
		"gcp version":                {keeper("gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"), "encryption.keeper", "not the name of a key"},
		"gcp endpoint":               {keeper("gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k?endpoint=x"), "encryption.keeper", `"endpoint" is not taken`},
		"escaped":                    {keeper("gcpkms://projects/p/locations/l%2Fx/keyRings/r/cryptoKeys/k"), "encryption.keeper", "percent"},
		"semicolon":                  {keeper("awskms://alias/x?region=a;endpoint=b"), "encryption.keeper", "cannot be read"},
		"fragment":                   {keeper("awskms://alias/x#y"), "encryption.keeper", "fragment"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := New(t.Context(), test.o)
			var refused *SettingsError
			if !errors.As(err, &refused) {
				t.Fatalf("error %v, want a *SettingsError", err)
			}
			if refused.Setting != test.setting || !strings.Contains(refused.Detail, test.detail) {
				t.Errorf("%s\nwant %s: …%s…", err, test.setting, test.detail)
			}
			all := append(append([]Settings{test.o.Current}, test.o.Escrow...), test.o.Previous...)
			for _, s := range all {
				leaks(t, err.Error(), s)
			}
		})
	}
}

// leaks reports secrets of s in text.
func leaks(t *testing.T, text string, s Settings) {
	t.Helper()
	if found := secretIn(text, s); found != "" {
		t.Errorf("%q shows the secret %q", text, found)
	}
}

func secretIn(text string, s Settings) string {
	secrets := append([]string{s.Passphrase, strings.TrimPrefix(s.Keeper, "base64key://")}, s.Identities...)
	for _, r := range s.Recipients {
		if isSecret(r) {
			secrets = append(secrets, r)
		}
	}
	if !strings.HasPrefix(s.Keeper, "base64key://") {
		secrets[1] = ""
	}
	for _, secret := range secrets {
		if len(secret) >= 5 && strings.Contains(strings.ToLower(text), strings.ToLower(secret[:min(20, len(secret))])) && !isRecipient(secret) {
			return secret
		}
	}
	return ""
}

// keyIn looks for a data key as a list of numbers, in hex and in base64.
func keyIn(text string, k *DataKey) bool {
	b := k.key[:]
	goSyntax := fmt.Sprintf("%#v", k.key)
	for _, form := range []string{fmt.Sprintf("%d", b), fmt.Sprintf("%x", b), fmt.Sprintf("%X", b), base64.StdEncoding.EncodeToString(b), goSyntax[strings.Index(goSyntax, "{"):]} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

func isRecipient(s string) bool { return strings.HasPrefix(s, "age1") }

func TestSettingsTaken(t *testing.T) {
	recipient, identity := pair(t)
	hybrid, hybridIdentity := hybridPair(t)
	for name, s := range map[string]Settings{
		"passphrase":          {Passphrase: goodPassphrase},
		"16 letters":          {Passphrase: "äöüäöüäöüäöüäöüä"},
		"age":                 {Recipients: []string{recipient}, Identities: []string{identity}},
		"key file":            {Recipients: []string{recipient + "\n"}, Identities: []string{"# created: 2026\n# public key: " + recipient + "\n" + identity + "\n"}},
		"old identities too":  {Recipients: []string{hybrid}, Identities: []string{identity + "\n" + hybridIdentity}},
		"local key":           {Keeper: localKeeper("k")},
		"aws alias":           {Keeper: "awskms://alias/weir?region=eu-central-1"},
		"aws id":              {Keeper: "awskms://1234abcd-12ab-34cd-56ef-1234567890ab?region=us-gov-west-1&fips=true"},
		"aws arn":             {Keeper: "awskms:///arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab?role=arn:aws:iam::111122223333:role/weir&context_app=weir"},
		"azure":               {Keeper: "azurekeyvault://mycompany.vault.azure.net/keys/weir/0123456789abcdef0123456789abcdef?algorithm=RSA-OAEP-256"},
		"gcp":                 {Keeper: "gcpkms://projects/my-project/locations/europe-west1/keyRings/ring/cryptoKeys/weir?additional_authenticated_data=d2Vpcg=="},
		"gcp of a domain":     {Keeper: "gcpkms://projects/example.com:my-project/locations/global/keyRings/ring/cryptoKeys/weir"},
		"previous identities": {Identities: []string{identity}},
	} {
		o := Options{Current: s}
		if strings.HasPrefix(name, "previous") {
			o = Options{Current: Settings{Passphrase: goodPassphrase}, Previous: []Settings{s}}
		}
		if _, err := New(t.Context(), o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNothingPrintsSecrets(t *testing.T) {
	recipient, identity := pair(t)
	settings := []Settings{
		{Passphrase: goodPassphrase},
		{Recipients: []string{recipient}, Identities: []string{identity}},
		{Keeper: localKeeper("k")},
		{Keeper: "unknown://" + goodPassphrase, Passphrase: goodPassphrase},
	}
	for _, s := range settings {
		o := Options{Current: s, Previous: []Settings{s}}
		values := []any{s, &s, o, []Settings{s}, map[string]Settings{"x": s}, struct{ S *Settings }{&s}}
		secrets := []Settings{s}
		var key *DataKey
		if r, err := newRing(t.Context(), o, deps{derive: quick, open: openKeeper}); err == nil {
			k, wraps, err := r.Make(t.Context(), "s")
			if err != nil {
				t.Fatal(err)
			}
			key = k
			values = append(values, r, struct{ R *Ring }{r}, k, *k, []DataKey{*k}, wraps)
		}
		for _, v := range values {
			texts := []string{fmt.Sprint(v)}
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%T"} {
				texts = append(texts, fmt.Sprintf(verb, v))
			}
			if b, err := json.Marshal(v); err == nil {
				texts = append(texts, string(b))
			}
			var log strings.Builder
			slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
			slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
			texts = append(texts, log.String())
			for _, text := range texts {
				for _, s := range secrets {
					leaks(t, text, s)
				}
				if key != nil && keyIn(text, key) {
					t.Errorf("%q shows the data key", text)
				}
			}
		}
	}
	// The checks are no use if they cannot find anything.
	type bareKey DataKey
	for _, verb := range []string{"%v", "%+v", "%#v", "%x"} {
		if k := testKey(); !keyIn(fmt.Sprintf(verb, bareKey(*k)), k) {
			t.Errorf("a planted data key was not found in %s", verb)
		}
	}
	type bare Settings
	if secretIn(fmt.Sprintf("%+v", bare(settings[0])), settings[0]) == "" || secretIn(fmt.Sprintf("%v", bare(settings[1])), settings[1]) == "" || secretIn(fmt.Sprintf("%v", bare(settings[2])), settings[2]) == "" {
		t.Error("a planted secret was not found")
	}
}
