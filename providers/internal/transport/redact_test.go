package transport

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

func mustURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestRedactKnownValues(t *testing.T) {
	const secret = `p~ä"s\s<w>+r/d&=`
	s := &Secrets{}
	s.Add(secret)
	s.Add("abc") // too short to look for
	quoted, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	twice, err := json.Marshal(string(quoted))
	if err != nil {
		t.Fatal(err)
	}
	forms := map[string]string{
		"raw":          secret,
		"json":         strings.Trim(string(quoted), `"`),
		"json twice":   strings.Trim(string(twice), `"`),
		"query":        url.QueryEscape(secret),
		"path":         url.PathEscape(secret),
		"lower hex":    strings.ToLower(url.QueryEscape(secret)),
		"base64":       base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 raw":   base64.RawStdEncoding.EncodeToString([]byte(secret)),
		"base64url":    base64.URLEncoding.EncodeToString([]byte(secret)),
		"basic auth 1": base64.StdEncoding.EncodeToString([]byte("u:" + secret)),
		"basic auth 2": base64.StdEncoding.EncodeToString([]byte("us:" + secret + "!")),
		"basic auth 3": base64.StdEncoding.EncodeToString([]byte("use:" + secret + "!!")),
	}
	for name, form := range forms {
		got := s.Redact("before " + form + " after abc")
		if !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after abc") || !strings.Contains(got, mask) {
			t.Errorf("%s: %q", name, got)
		}
		if strings.Contains(got, form) || len(form) > 12 && strings.Contains(got, form[4:12]) {
			t.Errorf("%s: %q still tells", name, got)
		}
	}
	if got := s.Redact("nothing to hide, status code=503"); got != "nothing to hide, status code=503" {
		t.Error(got)
	}
	// One secret within another leaves no tail, whatever the order of registration.
	s = &Secrets{}
	s.Add("hunter")
	s.Add("hunter2-long")
	if got := s.Redact("x hunter2-long y hunter z"); got != "x [redacted] y [redacted] z" {
		t.Error(got)
	}
}

func TestRedactPatterns(t *testing.T) {
	tests := []struct{ in, want string }{
		{`Authorization: Bearer abc`, `Authorization: [redacted]`},
		{"X-User: u\r\nX-Password: p\r\nAccept: a", "X-User: u\r\nX-Password: [redacted]\r\nAccept: a"},
		{"X-Auth-Token: abc\nHost: h", "X-Auth-Token: [redacted]\nHost: h"},
		{`map[X-Password:[hunter22]]`, `map[X-Password:[redacted]`},
		{`sent Bearer abcdefgh.ijk to`, `sent Bearer [redacted] to`},
		{`{"user":"u","password":"p\"q","n":1}`, `{"user":"u","password":[redacted],"n":1}`},
		{`{"client_secret" : "p"}`, `{"client_secret" : [redacted]}`},
		{`{"secretText":"p`, `{"secretText":[redacted]`},
		{`{"ad_key":"k","azure":1}`, `{"ad_key":[redacted],"azure":1}`},
		{`"{\"password\":\"p\\\"q\",\"n\":1}"`, `"{\"password\":[redacted],\"n\":1}"`},
		{`grant_type=x&client_secret=p%20q&scope=s`, `grant_type=x&client_secret=[redacted]&scope=s`},
		{`token eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJ4In0.c2ln here`, `token [redacted] here`},
		{`Set-Cookie: a=b; Path=/`, `Set-Cookie: [redacted]`},
		{`the password is wrong`, `the password is wrong`},
		{`{"tokens":3,"name":"x"}`, `{"tokens":3,"name":"x"}`},
	}
	for _, tt := range tests {
		if got := (*Secrets)(nil).Redact(tt.in); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
}

func TestSanitizedErrorsKeepTheirCause(t *testing.T) {
	s := &Secrets{}
	s.Add("hunter22")
	cause := errors.New("refused hunter22")
	err := s.sanitize(fmt.Errorf("dial: %w", cause))
	if err.Error() != "dial: refused [redacted]" || !errors.Is(err, cause) {
		t.Error(err)
	}
	plain := errors.New("nothing")
	if got := s.sanitize(plain); got != plain {
		t.Error(got)
	}
}

func TestSecretsConcurrently(t *testing.T) {
	s := &Secrets{}
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for j := range 50 {
				value := fmt.Sprintf("secret-%d-%d", i, j)
				s.Add(value)
				if got := s.Redact("a " + value); got != "a "+mask {
					t.Error(got)
				}
			}
		})
	}
	wait.Wait()
}

func FuzzRedact(f *testing.F) {
	f.Add(`{"password":"x"}`, "hunter22")
	f.Add("Authorization: Bearer x\n", `a"b\c`)
	f.Add("https://h/?sig=a&b=c", "[redacted]")
	f.Fuzz(func(t *testing.T, text, secret string) {
		s := &Secrets{}
		s.Add(secret)
		got := s.Redact(text + secret + text)
		if len(secret) >= 12 && !strings.Contains(mask, secret) && strings.Contains(got, secret) && !strings.Contains(secret, mask) {
			t.Fatalf("%q in %q", secret, got)
		}
	})
}

func TestProcessSecrets(t *testing.T) {
	ProcessSecrets().Add("known-to-the-process")
	if got := Redact("x known-to-the-process"); got != "x "+mask {
		t.Error(got)
	}
	if o := (Options{}).withDefaults(); o.Secrets != ProcessSecrets() || o.Gates != processGates {
		t.Error("clients share the process's secrets and gates unless told otherwise")
	}
}

func TestSleep(t *testing.T) {
	if err := sleep(context.Background(), 0); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
