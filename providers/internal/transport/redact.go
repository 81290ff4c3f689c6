package transport

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// mask stands where a secret stood.
const mask = "[redacted]"

// minSecret is the shortest value that is looked for, in bytes: replacing shorter ones would shred ordinary text and so
// tell them.
const minSecret = 4

// Secrets are values that must never be shown. The zero value is ready, a nil *Secrets knows no values and still
// redacts by pattern; safe for concurrent use.
type Secrets struct {
	mu       sync.Mutex
	known    map[string]bool
	forms    map[string]bool
	replacer *strings.Replacer // nil after a change
}

// processSecrets serve the clients that are given none.
var processSecrets = &Secrets{}

// ProcessSecrets returns the registry of clients that are given none.
func ProcessSecrets() *Secrets { return processSecrets }

// Redact removes from text every secret that the process's registry knows, and what looks like one.
func Redact(text string) string { return processSecrets.Redact(text) }

// Add registers a secret value in all the forms in which it may turn up: as it is, in base64 (also as the end of
// something longer, as in Basic authentication), URL-encoded, and JSON-escaped. Values under 4 bytes are ignored.
func (s *Secrets) Add(value string) {
	if s == nil || len(value) < minSecret {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[value] {
		return
	}
	if s.known == nil {
		s.known = map[string]bool{}
	}
	s.known[value] = true
	s.put(forms(value)...)
}

// addToken registers a token as it is: it is long, random, and already in an alphabet that nothing escapes.
func (s *Secrets) addToken(value string) {
	if s == nil || len(value) < minSecret {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(value)
}

func (s *Secrets) put(values ...string) {
	if s.forms == nil {
		s.forms = map[string]bool{}
	}
	for _, value := range values {
		s.forms[value] = true
	}
	s.replacer = nil
}

func forms(value string) []string {
	out := []string{value, url.QueryEscape(value), url.PathEscape(value)}
	for _, form := range out[1:3] {
		out = append(out, lowerHex(form))
	}
	// Escaped once, and once more as a JSON text within a JSON string.
	for _, html := range []bool{false, true} {
		once := escaped(value, html)
		out = append(out, once, escaped(once, false), escaped(once, true))
	}
	// Within a longer text base64 shifts by 0, 1 or 2 bytes; the first and last characters mix with the neighbours.
	for shift := range 3 {
		padded := strings.Repeat("\x00", shift) + value
		whole := len(padded) / 3 * 3
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			middle := encoding.EncodeToString([]byte(padded[:whole]))
			if shift > 0 && len(middle) >= 4 {
				middle = middle[4:]
			}
			if len(middle) >= 8 { // shorter ones would be found in ordinary text
				out = append(out, middle)
			}
		}
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		out = append(out, encoding.EncodeToString([]byte(value)))
	}
	return out
}

// escaped is the inside of value's JSON string, with or without the escapes that keep HTML away.
func escaped(value string, html bool) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(html)
	if err := encoder.Encode(value); err != nil {
		return value
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`)
}

var percent = regexp.MustCompile(`%[0-9A-F]{2}`)

func lowerHex(form string) string { return percent.ReplaceAllStringFunc(form, strings.ToLower) }

const sensitive = `(?:[^"\\\s]*(?:password|passwd|passphrase|secret|assertion|credential|private_?key|api_?key|ad_?key|access_?token|refresh_?token|id_?token)[^"\\\s]*|authorization|cookie)`

// patterns find what looks like a secret though nobody registered it; the first group stays.
var patterns = []*regexp.Regexp{
	regexp.MustCompile(`(?i)\b((?:authorization|proxy-authorization|cookie|set-cookie|x-password|x-api-key)["'\]]?\s*[:=]\s*)[^\r\n]+`),
	regexp.MustCompile(`(?im)^(\s*[a-z0-9-]*(?:password|secret|token|api-?key)[a-z0-9-]*:[ \t]*)[^\r\n]+`),
	regexp.MustCompile(`(?i)("` + sensitive + `"\s*:\s*)"(?:[^"\\]|\\.)*(?:"|\\?$)`),
	regexp.MustCompile(`(?i)(\\"` + sensitive + `\\"\s*:\s*)\\"(?:[^"\\]|\\\\(?:\\["\\]|[^"\\]))*(?:\\"|\\*$)`),
	regexp.MustCompile(`(?i)((?:^|[?&\s;])(?:client_secret|password|client_assertion|assertion|access_token|refresh_token|id_token|sig)=)[^&\s"']+`),
	regexp.MustCompile(`(?i)\b((?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{8,}`),
	regexp.MustCompile(`()\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?`),
}

// Redact returns text without the registered secrets, bearer tokens, password-like headers and JSON fields.
func (s *Secrets) Redact(text string) string {
	if r := s.current(); r != nil {
		text = r.Replace(text)
	}
	for _, p := range patterns {
		text = p.ReplaceAllString(text, "${1}"+mask)
	}
	return text
}

func (s *Secrets) current() *strings.Replacer {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.replacer == nil && len(s.forms) > 0 {
		// At one place the first pair that fits wins: longer forms first, so that no tail of one remains.
		values := make([]string, 0, len(s.forms))
		for value := range s.forms {
			values = append(values, value)
		}
		slices.SortFunc(values, func(a, b string) int {
			return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
		})
		pairs := make([]string, 0, 2*len(values))
		for _, value := range values {
			pairs = append(pairs, value, mask)
		}
		s.replacer = strings.NewReplacer(pairs...)
	}
	return s.replacer
}

// sanitized is an error whose text was redacted; what it wraps stays reachable for errors.Is and errors.As.
type sanitized struct {
	text  string
	cause error
}

// Error implements error.
func (e *sanitized) Error() string { return e.text }

// Unwrap returns the original.
func (e *sanitized) Unwrap() error { return e.cause }

// sanitize returns err as it is when nothing in its text needs hiding.
func (s *Secrets) sanitize(err error) error {
	text := err.Error()
	clean := s.Redact(text)
	if clean == text {
		return err
	}
	return &sanitized{text: clean, cause: err}
}
