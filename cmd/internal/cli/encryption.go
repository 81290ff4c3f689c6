package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/secrets"
	"github.com/weir-project/weir/state/keys"
)

// keyring makes the keys of state and plan files as the encryption block says. It asks no key service yet. What is
// wrong with a setting is said at its place.
func (a *App) keyring(ctx context.Context, e *config.Encryption, run *secrets.Run) (*keys.Ring, hcl.Diagnostics) {
	r := keyResolver{run: run, learn: a.secrets.Add}
	var o keys.Options
	o.Current = r.settings(ctx, e.Current, true)
	for _, k := range e.Escrow {
		// The identity of an escrow lies in a safe, and is here only when state must be read with it.
		o.Escrow = append(o.Escrow, r.settings(ctx, k, false))
	}
	for _, k := range e.Previous {
		o.Previous = append(o.Previous, r.settings(ctx, k, true))
	}
	if r.diags.HasErrors() {
		return nil, r.diags
	}
	ring, err := keys.New(ctx, o)
	var wrong *keys.SettingsError
	switch {
	case errors.As(err, &wrong):
		return nil, hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Encryption setting cannot be used", Detail: fmt.Sprintf("%s: %s.", wrong.Setting, strings.TrimSuffix(wrong.Detail, ".")),
			Subject: settingPlace(e, wrong.Setting),
		}}
	case err != nil:
		return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Encryption cannot be set up", Detail: err.Error(), Subject: e.Current.At("")}}
	}
	return ring, nil
}

// keyResolver fetches the secrets of key settings.
type keyResolver struct {
	run   *secrets.Run
	learn func(string)
	diags hcl.Diagnostics
}

// settings are those of one block. needed says that its identities must be there.
func (r *keyResolver) settings(ctx context.Context, k config.KeySettings, needed bool) keys.Settings {
	s := keys.Settings{Recipients: k.Recipients, Keeper: k.Keeper}
	s.Passphrase = r.value(ctx, k, "passphrase", k.Passphrase, true)
	if k.KeeperSecret != nil {
		s.Keeper = r.value(ctx, k, "keeper", k.KeeperSecret, true)
	}
	name := "identity"
	if _, ok := k.Ranges["identities"]; ok {
		name = "identities"
	}
	for _, ref := range k.Identities {
		value := r.value(ctx, k, name, ref, needed)
		if value == "" {
			continue
		}
		s.Identities = append(s.Identities, value)
		for line := range strings.Lines(value) { // a key file has comments around the key
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				r.learn(line)
			}
		}
	}
	return s
}

func (r *keyResolver) value(ctx context.Context, k config.KeySettings, name string, ref *resource.SecretRef, needed bool) string {
	if ref == nil {
		return ""
	}
	value, err := r.run.Resolve(ctx, ref)
	if err != nil && needed {
		r.diags = append(r.diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Secret of the encryption block is missing",
			Detail:  fmt.Sprintf("%s: %s. Without it state and plan files can be neither read nor written, so nothing was done. Set it and run again.", name, err),
			Subject: k.At(name),
		})
	}
	return value
}

var settingName = regexp.MustCompile(`^encryption(?:\.(escrow|previous)\[([0-9]+)\])?(?:\.([a-z]+))?`)

// settingPlace is where a setting stands, by the name that keys gives it.
func settingPlace(e *config.Encryption, setting string) *hcl.Range {
	m := settingName.FindStringSubmatch(setting)
	if m == nil {
		return e.Current.At("")
	}
	block := e.Current
	list := map[string][]config.KeySettings{"escrow": e.Escrow, "previous": e.Previous}[m[1]]
	if i, err := strconv.Atoi(m[2]); err == nil && i < len(list) {
		block = list[i]
	}
	if _, ok := block.Ranges[m[3]]; !ok && m[3] == "identities" {
		return block.At("identity")
	}
	return block.At(m[3])
}
