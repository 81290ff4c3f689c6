package keys

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/secrets"
	_ "gocloud.dev/secrets/awskms"        // awskms://
	_ "gocloud.dev/secrets/azurekeyvault" // azurekeyvault://
	_ "gocloud.dev/secrets/gcpkms"        // gcpkms://
	_ "gocloud.dev/secrets/localsecrets"  // base64key://
)

// keeperTimeout bounds one question to a key service, with the client's own
// tries and its search for credentials.
const keeperTimeout = time.Minute

// service is what we ask of a gocloud keeper.
type service interface {
	Encrypt(ctx context.Context, plaintext []byte) ([]byte, error)
	Decrypt(ctx context.Context, ciphertext []byte) ([]byte, error)
	Close() error
}

type opener func(ctx context.Context, url string) (service, error)

func openKeeper(ctx context.Context, url string) (service, error) {
	return secrets.OpenKeeper(ctx, url)
}

// keeper protects keys by a key service. It is opened when first used, since
// opening may look for credentials on the network. Safe for concurrent use.
type keeper struct {
	url    string
	digest string // what wraps call it
	dial   opener

	mu     sync.Mutex
	opened service
}

func newKeeper(raw, at string, dial opener) (*keeper, error) {
	if err := checkKeeper(raw, at); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte("weir keeper " + raw))
	return &keeper{url: raw, digest: hex.EncodeToString(sum[:16]), dial: dial}, nil
}

func (k *keeper) service(ctx context.Context) (service, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.opened == nil {
		// The client keeps the context for renewing its credentials.
		s, err := k.dial(context.WithoutCancel(ctx), k.url)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", keeperWords(k.url), ErrUnavailable, err)
		}
		k.opened = s
	}
	return k.opened, nil
}

func (k *keeper) wrap(ctx context.Context, _ io.Reader, w Wrap, subject string, key *DataKey) (Wrap, error) {
	ctx, cancel := context.WithTimeout(ctx, keeperTimeout)
	defer cancel()
	s, err := k.service(ctx)
	if err != nil {
		return Wrap{}, err
	}
	w.Method, w.Keeper = methodKeeper, k.digest
	w.Data, err = s.Encrypt(ctx, w.bound(key.key[:], subject, key.id))
	if err != nil {
		return Wrap{}, fmt.Errorf("%s: %w: encrypt: %w", keeperWords(k.url), ErrUnavailable, err)
	}
	return w, nil
}

func (k *keeper) open(ctx context.Context, w Wrap, subject, id string) ([]byte, error) {
	if w.Method != methodKeeper {
		return nil, errNotMine
	}
	ctx, cancel := context.WithTimeout(ctx, keeperTimeout)
	defer cancel()
	s, err := k.service(ctx)
	if err != nil {
		return nil, err
	}
	plain, err := s.Decrypt(ctx, w.Data)
	if err == nil {
		return w.unbound(plain, subject, id)
	}
	switch code := gcerrors.Code(err); {
	case ctx.Err() != nil:
	case strings.HasPrefix(k.url, "base64key:"), code == gcerrors.InvalidArgument:
		if w.Keeper == k.digest {
			return nil, fmt.Errorf("a key protected by keeper: %w: %s made it and does not open it: %w", ErrDamaged, keeperWords(k.url), err)
		}
		return nil, errNotMine
	case w.Keeper != k.digest && (code == gcerrors.PermissionDenied || code == gcerrors.NotFound):
		return nil, errNotMine // AWS says so of a key it may not name
	}
	return nil, fmt.Errorf("%s: %w: decrypt: %w", keeperWords(k.url), ErrUnavailable, err)
}

func (k *keeper) fresh(w Wrap) bool { return w.Method == methodKeeper && w.Keeper == k.digest }

func (k *keeper) opens() bool { return true }

func (k *keeper) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.opened == nil {
		return nil
	}
	s := k.opened
	k.opened = nil
	return s.Close()
}

// scheme says what a keeper's URL may contain. Parameters that name an endpoint,
// a proxy or other credentials are the operator's to set, in the environment
// that the vendor's client reads, and not the configuration's.
type scheme struct {
	form   string // for messages
	params map[string]*regexp.Regexp
	check  func(u *url.URL) string // "" or what is wrong
}

// The parameters that exist were seen in gocloud.dev v0.47.0: aws.V2ConfigFromURLParams,
// and the URLOpener of each driver.
var schemes = map[string]scheme{
	"awskms": {
		form: "awskms://alias/NAME?region=eu-central-1 or awskms:///arn:aws:kms:…",
		params: map[string]*regexp.Regexp{
			"region":    regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`), // becomes part of a host name
			"role":      regexp.MustCompile(`^arn:[a-zA-Z0-9:/_+=,.@-]+$`),
			"fips":      regexp.MustCompile(`^(true|false)$`),
			"dualstack": regexp.MustCompile(`^(true|false)$`),
			"context_":  regexp.MustCompile(`^.{1,256}$`), // a prefix: the encryption context
		},
		check: func(u *url.URL) string {
			if !awsKey.MatchString(strings.TrimPrefix(u.Host+u.Path, "/")) {
				return "that is not the id, alias or ARN of a key"
			}
			return ""
		},
	},
	"azurekeyvault": {
		form: "azurekeyvault://NAME.vault.azure.net/keys/KEY/VERSION",
		params: map[string]*regexp.Regexp{
			"algorithm": regexp.MustCompile(`^RSA-OAEP(-256)?$`),
		},
		check: func(u *url.URL) string {
			switch {
			case !azureHost.MatchString(u.Host):
				return "the host is not a vault's (vault.azure.net, vault.azure.cn, vault.usgovcloudapi.net)"
			case azureNewest.MatchString(u.Path):
				// The client then asks the newest version to decrypt.
				return "the key's version is missing; without it nothing that was written opens once the vault has made the next one"
			case !azureKey.MatchString(u.Path):
				return "the path is not /keys/KEY/VERSION"
			}
			return ""
		},
	},
	"gcpkms": {
		form: "gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K",
		params: map[string]*regexp.Regexp{
			"additional_authenticated_data": regexp.MustCompile(`^([A-Za-z0-9_-]{4})*([A-Za-z0-9_-]{2}==|[A-Za-z0-9_-]{3}=)?$`),
		},
		check: func(u *url.URL) string {
			if !googleKey.MatchString(u.Host + u.Path) {
				return "that is not the name of a key (without a version)"
			}
			return ""
		},
	},
	"base64key": {
		form:  "base64key://KEY with 32 random bytes in URL-safe base64",
		check: func(u *url.URL) string { return checkLocalKey(u.Host, u.Path) },
	},
}

var (
	awsKey      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:/_-]*$`)
	azureHost   = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]\.vault\.(azure\.net|azure\.cn|usgovcloudapi\.net)$`)
	azureKey    = regexp.MustCompile(`^/keys/[a-zA-Z0-9-]{1,127}/[a-zA-Z0-9]{1,64}$`)
	azureNewest = regexp.MustCompile(`^/keys/[a-zA-Z0-9-]{1,127}/?$`)
	googleKey   = regexp.MustCompile(`^projects/[a-z0-9.:-]{1,128}/locations/[a-z0-9-]{1,63}/keyRings/[a-zA-Z0-9_-]{1,63}/cryptoKeys/[a-zA-Z0-9_-]{1,63}$`)
)

// sampleKeys are keys printed in documentation. (gocloud.dev/secrets/localsecrets)
var sampleKeys = []string{"smGbjm71Nxd1Ig5FS0wj9SlbzAIrnolCz9bQQ6uAhl4="}

// checkLocalKey never quotes: the URL is the key.
func checkLocalKey(host, path string) string {
	if host == "" && (path == "" || path == "/") {
		return "the key is missing. The library would make one up and nothing could be read afterwards; make one with: head -c 32 /dev/urandom | base64 | tr +/ -_"
	}
	if path != "" {
		return "the key is not URL-safe base64: write - for + and _ for /"
	}
	key, err := base64.URLEncoding.DecodeString(host)
	if err != nil {
		return "the key is not URL-safe base64, with its = at the end"
	}
	if len(key) != keySize {
		return fmt.Sprintf("the key has %d bytes; it must have %d", len(key), keySize)
	}
	if slices.Contains(sampleKeys, host) || strings.Count(string(key), string(key[:1])) == keySize {
		return "that key is a sample which everybody knows; make one with: head -c 32 /dev/urandom | base64 | tr +/ -_"
	}
	return ""
}

func schemeOf(raw string) string {
	name, _, _ := strings.Cut(raw, ":")
	return name
}

// keeperWords names a keeper without the key that base64key:// has in it, and
// without anything that was not understood.
func keeperWords(raw string) string {
	name := schemeOf(raw)
	s, known := schemes[name]
	u, err := url.Parse(raw)
	if !known || err != nil || name == "base64key" || s.check(u) != "" {
		if known {
			return "keeper " + name
		}
		return "keeper"
	}
	return "keeper " + name + "://" + u.Host + u.Path
}

func checkKeeper(raw, at string) error {
	fail := func(detail string) error { return &SettingsError{at, detail} }
	name := schemeOf(raw)
	s, known := schemes[name]
	if !known {
		return fail("that is not a keeper's URL: it begins with awskms://, azurekeyvault://, gcpkms:// or base64key://")
	}
	u, err := url.Parse(raw)
	if err != nil || !strings.HasPrefix(raw, name+"://") || len(raw) > 4096 {
		return fail("that is not a URL; it looks like " + s.form)
	}
	if u.User != nil || u.Fragment != "" || u.RawPath != "" || u.ForceQuery || strings.Contains(raw, "#") {
		return fail("a keeper's URL has no user, fragment or percent signs; it looks like " + s.form)
	}
	if detail := s.check(u); detail != "" {
		return fail(detail + "; it looks like " + s.form)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return fail("its parameters cannot be read; it looks like " + s.form)
	}
	for param, values := range query {
		key := param
		if name == "awskms" && strings.HasPrefix(param, "context_") && len(param) > len("context_") {
			key = "context_"
		} else if param == "context_" {
			key = ""
		}
		pattern, allowed := s.params[key]
		if !allowed {
			return fail(fmt.Sprintf("the parameter %q is not taken here; what names a host or credentials is set in the environment, never in configuration", param))
		}
		if len(values) != 1 || !pattern.MatchString(values[0]) {
			return fail(fmt.Sprintf("the parameter %q has no value that it can have", param))
		}
	}
	return nil
}
