package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/weir-project/weir/providers/resource"
)

// secretNames keeps apart the environment variables that hold secrets from those that env() may read, whichever is
// evaluated first. Safe for concurrent use.
type secretNames struct {
	env func(string) (string, bool)

	mu     sync.Mutex
	names  map[string]bool // read by secret("env://NAME")
	public map[string]bool // given out by env()
	urls   []string
}

func newSecretNames(g *Graph, env func(string) (string, bool)) *secretNames {
	if env == nil {
		env = func(string) (string, bool) { return "", false }
	}
	s := &secretNames{env: env, names: map[string]bool{}, public: map[string]bool{}, urls: slices.Clone(g.secretURLs)}
	for name := range g.secretNames {
		s.names[name] = true
	}
	return s
}

func (s *secretNames) refs() []*resource.SecretRef {
	s.mu.Lock()
	defer s.mu.Unlock()
	urls := slices.Compact(slices.Sorted(slices.Values(s.urls)))
	out := make([]*resource.SecretRef, len(urls))
	for i, u := range urls {
		out[i] = &resource.SecretRef{URL: u}
	}
	return out
}

// allowed reports whether the operator's WEIR_ALLOW_ENV, a comma-separated list of names and patterns, lets a name
// through. listed is false when there is no such list.
func (s *secretNames) allowed(name string) (ok, listed bool) {
	list, set := s.env("WEIR_ALLOW_ENV")
	if !set || strings.TrimSpace(list) == "" {
		return true, false
	}
	for _, p := range strings.Split(list, ",") {
		if p = strings.TrimSpace(p); p != "" && glob(p, name) {
			return true, true
		}
	}
	return false, true
}

func (s *secretNames) ci() bool {
	v, ok := s.env("CI")
	return ok && v != "" && v != "false" && v != "0"
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// envFunction is env(). provider says that it stands in a provider body or the weir block, where the operator's names
// may be read; lenient makes an unset variable null.
func (s *secretNames) envFunction(provider, validate, lenient bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			if !envName.MatchString(name) {
				return cty.NilVal, fmt.Errorf("%q is no name of an environment variable", name)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.names[name] {
				return cty.NilVal, fmt.Errorf("%s holds a secret: the configuration reads it with secret(\"env://%s\"), so env() would let it into plans and state", name, name)
			}
			if validate {
				return cty.UnknownVal(cty.String), nil
			}
			ok, listed := s.allowed(name)
			if !ok {
				return cty.NilVal, fmt.Errorf("%s is not among the names that WEIR_ALLOW_ENV allows", name)
			}
			if !listed && !provider && s.ci() && !strings.HasPrefix(name, "WEIR_PUBLIC_") {
				return cty.NilVal, fmt.Errorf("under CI, env() reads only names that begin with WEIR_PUBLIC_ outside provider blocks; allow %s with WEIR_ALLOW_ENV", name)
			}
			v, set := s.env(name)
			if !set {
				if lenient {
					return cty.NullVal(cty.String), nil
				}
				return cty.NilVal, fmt.Errorf("the environment variable %s is not set", name)
			}
			s.public[name] = true
			return cty.StringVal(v), nil
		},
	})
}

// secretFunction is secret(): it makes a reference and never reads anything.
func (s *secretNames) secretFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "url", Type: cty.String}},
		Type:   function.StaticReturnType(resource.SecretType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			url := args[0].AsString()
			scheme, rest, found := strings.Cut(url, "://")
			if !found || rest == "" || scheme != "env" && scheme != "file" && scheme != "azurekeyvault" {
				return cty.NilVal, fmt.Errorf(`a secret reference is "env://NAME", "file:///path" or "azurekeyvault://VAULT/NAME"`)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if scheme == "env" {
				if !envName.MatchString(rest) {
					return cty.NilVal, fmt.Errorf("%q is no name of an environment variable", rest)
				}
				if s.public[rest] {
					return cty.NilVal, fmt.Errorf("%s is read by env() too, so it is no secret any more; read it in one way only", rest)
				}
				if ok, _ := s.allowed(rest); !ok {
					return cty.NilVal, fmt.Errorf("%s is not among the names that WEIR_ALLOW_ENV allows", rest)
				}
				s.names[rest] = true
			}
			s.urls = append(s.urls, url)
			return resource.Secret(&resource.SecretRef{URL: url}).WithMarks(cty.NewValueMarks(SensitiveMark, EphemeralMark)), nil
		},
	})
}
