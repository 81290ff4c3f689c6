package cli

import (
	"encoding/json"
	"fmt"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/providers"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// providerSettings turns evaluated provider blocks into connection settings.
func providerSettings(essentials, microsoft *config.Provider) (*providers.EssentialsSettings, *providers.MicrosoftSettings, error) {
	var e *providers.EssentialsSettings
	var m *providers.MicrosoftSettings
	if p := essentials; p != nil {
		e = &providers.EssentialsSettings{
			Address: providerAddress(p.Type, p.Name), Stack: argument(p.Config, "stack"), BaseURL: argument(p.Config, "base_url"),
			User: argument(p.Config, "user"), Password: resource.SecretOf(resource.Get(p.Config, "password")),
		}
	}
	if p := microsoft; p != nil {
		m = &providers.MicrosoftSettings{
			Address: providerAddress(p.Type, p.Name), Credential: argument(p.Config, "credential"), ClientID: argument(p.Config, "client_id"),
			ClientSecret: resource.SecretOf(resource.Get(p.Config, "client_secret")), CertificatePath: argument(p.Config, "certificate_path"),
		}
	}
	return e, m, nil
}

func providerAddress(typ, name string) string { return "provider." + typ + "." + name }

func argument(config cty.Value, name string) string {
	v, _ := resource.Get(config, name).Unmark()
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return ""
	}
	return v.AsString()
}

// recordProviders is the non-secret part of provider blocks, kept with the tenant so that it can be taken down when its
// blocks are gone.
func recordProviders(blocks ...*config.Provider) map[string]state.Provider {
	out := map[string]state.Provider{}
	for _, p := range blocks {
		if p == nil {
			continue
		}
		r := state.Provider{Type: p.Type, Name: p.Name, Arguments: map[string]json.RawMessage{}, Secrets: map[string]string{}}
		bare, _ := p.Config.UnmarkDeep()
		for name, t := range bare.Type().AttributeTypes() {
			v := bare.GetAttr(name)
			if ref := resource.SecretOf(v); ref != nil {
				r.Secrets[name] = ref.URL
				continue
			}
			if v.IsNull() || !v.IsWhollyKnown() || t == resource.SecretType {
				continue
			}
			if data, err := ctyjson.Marshal(v, t); err == nil {
				r.Arguments[name] = data
			}
		}
		out[providerAddress(p.Type, p.Name)] = r
	}
	return out
}

// recordedSettings are the settings of the providers that a tenant's state was made with.
func recordedSettings(recorded map[string]state.Provider) (*providers.EssentialsSettings, *providers.MicrosoftSettings, error) {
	var e *providers.EssentialsSettings
	var m *providers.MicrosoftSettings
	for address, p := range recorded {
		arg := func(name string) string {
			var s string
			_ = json.Unmarshal(p.Arguments[name], &s) // absent or of another type: ""
			return s
		}
		secret := func(name string) *resource.SecretRef {
			if p.Secrets[name] == "" {
				return nil
			}
			return &resource.SecretRef{URL: p.Secrets[name]}
		}
		switch p.Type {
		case "essentials":
			e = &providers.EssentialsSettings{Address: address, Stack: arg("stack"), BaseURL: arg("base_url"), User: arg("user"), Password: secret("password")}
		case "microsoft":
			m = &providers.MicrosoftSettings{Address: address, Credential: arg("credential"), ClientID: arg("client_id"), ClientSecret: secret("client_secret"), CertificatePath: arg("certificate_path")}
		default:
			return nil, nil, fmt.Errorf("state names a provider of type %q, which this version of Weir does not know", p.Type)
		}
	}
	return e, m, nil
}
