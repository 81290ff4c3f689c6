package store

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weir-project/weir/state/store/storetest"
)

// TestGCSAnswers sorts every answer that Google documents, or that is seen in
// clients, into the five kinds.
func TestGCSAnswers(t *testing.T) {
	t.Setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:1")
	answers(t, &cloud{Place: storetest.Place{URL: "gs://weir-state"}}, []answerRow{
		{"no such object", 404, "No such object: weir-state/t/contoso/head", ErrAbsent, ErrDenied, ""},
		{"no such bucket", 404, "The specified bucket does not exist.", ErrDenied, ErrDenied, "make it first"},
		{"a 404 that says nothing", 404, "", ErrDenied, ErrDenied, ""},
		{"denied", 403, "weir does not have storage.objects.get access", ErrDenied, ErrDenied, ""},
		{"a 403 that says nothing", 403, "", ErrDenied, ErrDenied, ""},
		{"not signed in", 401, "Invalid Credentials", ErrDenied, ErrDenied, ""},
		{"replaced", 412, "conditionNotMet", ErrConflict, ErrConflict, ""},
		{"being changed", 409, "conflict", ErrUnavailable, ErrAmbiguous, ""},
		{"more than one write a second", 429, "rateLimitExceeded", ErrUnavailable, ErrAmbiguous, ""},
		{"too many", 429, "", ErrUnavailable, ErrAmbiguous, ""},
		{"busy", 503, "backendError", ErrUnavailable, ErrAmbiguous, ""},
		{"broken", 500, "", ErrUnavailable, ErrAmbiguous, ""},
		{"no answer", 0, "", ErrUnavailable, ErrAmbiguous, "connection reset"},
	})
	// A download is not answered in JSON.
	for text, absent := range map[string]bool{
		"No such object: weir-state/t/contoso/head": true,
		"Not Found\n": true,
		"<html>The requested URL was not found on this server": false,
	} {
		s, err := openGCS(t.Context(), "weir-state", "", transport(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 404, Header: http.Header{"Content-Type": {"text/html"}}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Get(t.Context(), "t/contoso/head"); errors.Is(err, ErrAbsent) != absent || errors.Is(err, ErrDenied) == absent {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestGCSAccess opens with the settings an operator may have.
func TestGCSAccess(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	user := file("user.json", `{"type":"authorized_user","client_id":"a","client_secret":"b","refresh_token":"c"}`)
	for _, row := range []struct {
		name, credentials, emulator string
		want                        string // part of the error; empty for none
	}{
		{"signed-in user", user, "", ""},
		{"no file", filepath.Join(dir, "none.json"), "", "GOOGLE_APPLICATION_CREDENTIALS"},
		{"a file that is none", file("x.json", `{"private_key":"secret"`), "", "GOOGLE_APPLICATION_CREDENTIALS"},
		{"emulator", "", "127.0.0.1:4443", ""},
		{"emulator with a scheme", "", "http://localhost:4443", ""},
		{"emulator abroad", "", "storage.example:4443", "not encrypted"},
		{"emulator abroad, encrypted", "", "https://storage.example", ""},
		{"emulator that is none", "", "http://", "not a URL"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", row.credentials)
			t.Setenv("STORAGE_EMULATOR_HOST", row.emulator)
			_, err := openGCS(t.Context(), "weir-state", "", nil)
			wantError(t, err, row.want)
		})
	}
}

// TestGCSOneRequest writes what the library would send in parts, and counts how
// often it repeats what cannot work.
func TestGCSOneRequest(t *testing.T) {
	t.Setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:1")
	var sent []string
	var status int
	c := &cloud{Place: storetest.Place{URL: "gs://weir-state"}}
	s, err := c.at("msp/", transport(func(r *http.Request) (*http.Response, error) {
		n, err := io.Copy(io.Discard, r.Body)
		q := r.URL.Query()
		sent = append(sent, fmt.Sprintf("%s %s %t %s", q.Get("uploadType"), q.Get("name"), n > 17<<20, q.Get("ifGenerationMatch")))
		if status != 0 {
			return c.answer(r, status, ""), err
		}
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(`{}`)), Request: r}, err
	}))
	if err != nil {
		t.Fatal(err)
	}
	large := make([]byte, 17<<20+1)
	for _, prev := range []Version{"", "17"} {
		if _, err := s.Put(t.Context(), "t/a/large", large, prev); err != nil {
			t.Error(err)
		}
	}
	if want := []string{"multipart msp/t/a/large true 0", "multipart msp/t/a/large true 17"}; !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
	sent, status = nil, 503
	if _, err := s.Put(t.Context(), "t/a/large", nil, ""); !errors.Is(err, ErrAmbiguous) || len(sent) != gcsAttempts {
		t.Errorf("%v after %d attempts, want ErrAmbiguous after %d", err, len(sent), gcsAttempts)
	}
	sent, status = nil, 0
	if _, err := s.Put(t.Context(), "t/a/large", nil, `"etag"`); !errors.Is(err, ErrConflict) || len(sent) != 0 {
		t.Errorf("a version of another store: %v after %d requests, want ErrConflict after none", err, len(sent))
	}
}
