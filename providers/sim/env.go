package sim

import (
	"fmt"
	"os"
	"strings"
)

// Env returns what a client needs to find and enter the simulator, as KEY=value: the addresses, the resolver, the
// authority's file, the world's id as realm, and the world's credentials under the names that real runs use.
func (s *Server) Env() []string {
	c := s.world.Credentials()
	s.world.RLock()
	realm := s.world.ID
	s.world.RUnlock()
	return []string{
		"WEIR_SIM_LOGIN_URL=" + s.urls.Login,
		"WEIR_SIM_GRAPH_URL=" + s.urls.Graph,
		"WEIR_SIM_EXCHANGE_URL=" + s.urls.Exchange,
		"WEIR_SIM_ESSENTIALS_URL=" + s.urls.Essentials,
		"WEIR_SIM_CONTROL_URL=" + s.urls.Control,
		"WEIR_SIM_DNS=" + s.DNS(),
		"WEIR_SIM_CA_FILE=" + s.CAFile(),
		"WEIR_SIM_REALM=" + realm,
		"ESSENTIALS_USER=" + c.EssentialsUser,
		"ESSENTIALS_PASSWORD=" + c.EssentialsPassword,
		"AZURE_TENANT_ID=" + c.TenantID,
		"AZURE_CLIENT_ID=" + c.ClientID,
		"AZURE_CLIENT_SECRET=" + c.ClientSecret,
	}
}

// WriteEnv writes Env to path as lines of shell ("export KEY='value'"), readable by its owner alone.
func (s *Server) WriteEnv(path string) error {
	var b strings.Builder
	for _, e := range s.Env() {
		k, v, _ := strings.Cut(e, "=")
		fmt.Fprintf(&b, "export %s='%s'\n", k, strings.ReplaceAll(v, "'", `'\''`))
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("write the simulator's environment: %w", err)
	}
	return nil
}
