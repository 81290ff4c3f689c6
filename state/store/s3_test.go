package store

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"testing"

	"github.com/weir-project/weir/state/store/storetest"
)

// awsSettings puts the library's settings into the environment, and hides those
// of whoever runs the test.
func awsSettings(t *testing.T, settings map[string]string) {
	t.Helper()
	hidden := map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": "",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	}
	for name, value := range hidden {
		t.Setenv(name, value)
	}
	for name, value := range settings {
		t.Setenv(name, value)
	}
}

// TestS3Answers sorts every answer that S3 documents, or that is seen of
// services like it, into the five kinds.
func TestS3Answers(t *testing.T) {
	awsSettings(t, map[string]string{"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"})
	answers(t, &cloud{Place: storetest.Place{URL: "s3://weir-state"}}, []answerRow{
		{"no such object", 404, "NoSuchKey", ErrAbsent, ErrConflict, ""},
		{"no such bucket", 404, "NoSuchBucket", ErrDenied, ErrDenied, "make it first"},
		{"a 404 that says nothing", 404, "", ErrDenied, ErrDenied, ""},
		{"denied", 403, "AccessDenied", ErrDenied, ErrDenied, ""},
		{"a 403 that says nothing", 403, "", ErrDenied, ErrDenied, ""},
		{"wrong secret", 403, "SignatureDoesNotMatch", ErrDenied, ErrDenied, ""},
		{"expired", 400, "ExpiredToken", ErrDenied, ErrDenied, "ExpiredToken"},
		{"wrong clock", 403, "RequestTimeTooSkewed", ErrDenied, ErrDenied, "clock"},
		{"another region", 301, "PermanentRedirect", ErrDenied, ErrDenied, "AWS_REGION"},
		{"another region for now", 307, "TemporaryRedirect", ErrDenied, ErrDenied, "AWS_REGION"},
		{"signed for another region", 400, "AuthorizationHeaderMalformed", ErrDenied, ErrDenied, "AWS_REGION"},
		{"replaced", 412, "PreconditionFailed", ErrConflict, ErrConflict, ""},
		{"another write under way", 409, "ConditionalRequestConflict", ErrUnavailable, ErrAmbiguous, ""},
		{"too many", 429, "", ErrUnavailable, ErrAmbiguous, ""},
		{"slow down", 503, "SlowDown", ErrUnavailable, ErrAmbiguous, ""},
		{"broken", 500, "InternalError", ErrUnavailable, ErrAmbiguous, ""},
		{"body came too slowly", 400, "RequestTimeout", ErrUnavailable, ErrAmbiguous, ""},
		{"body damaged on the way", 400, "BadDigest", ErrUnavailable, ErrAmbiguous, ""},
		{"no conditional writes", 501, "NotImplemented", ErrDenied, ErrDenied, "not fit for state"},
		{"no answer", 0, "", ErrUnavailable, ErrAmbiguous, "connection reset"},
	})
}

// TestS3Access opens with the settings an operator may have.
func TestS3Access(t *testing.T) {
	for _, row := range []struct {
		name     string
		settings map[string]string
		want     string // part of the error; empty for none
	}{
		{"key and region", map[string]string{"AWS_REGION": "eu-central-1"}, ""},
		{"no region", nil, "AWS_REGION"},
		{"a service like it", map[string]string{"AWS_REGION": "auto", "AWS_ENDPOINT_URL_S3": "https://s3.example"}, ""},
		{"plain HTTP abroad", map[string]string{"AWS_REGION": "auto", "AWS_ENDPOINT_URL_S3": "http://s3.example"}, "not encrypted"},
		{"plain HTTP abroad, for all services", map[string]string{"AWS_REGION": "auto", "AWS_ENDPOINT_URL": "http://s3.example"}, "not encrypted"},
		{"plain HTTP here", map[string]string{"AWS_REGION": "auto", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000"}, ""},
		{"an endpoint that is none", map[string]string{"AWS_REGION": "auto", "AWS_ENDPOINT_URL_S3": "s3.example"}, "not a URL"},
		{"a profile that is not there", map[string]string{"AWS_REGION": "auto", "AWS_PROFILE": "nobody"}, "nobody"},
	} {
		t.Run(row.name, func(t *testing.T) {
			awsSettings(t, row.settings)
			_, err := openS3(t.Context(), "weir-state", "", nil)
			wantError(t, err, row.want)
		})
	}
}

// TestS3Login is about credentials that cannot be got in the middle of a
// request.
func TestS3Login(t *testing.T) {
	awsSettings(t, map[string]string{"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""})
	s, err := openS3(t.Context(), "weir-state", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(t.Context(), "t/a/head"); !errors.Is(err, ErrDenied) {
		t.Errorf("no credentials: %v, want ErrDenied", err)
	}
	gone := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	var never, once login
	if err := once.check(nil); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name  string
		login *login
		err   error
		want  error
	}{
		{"never there", &never, gone, ErrDenied},
		{"not renewed, nobody answers", &once, gone, ErrAmbiguous},
		{"not renewed, refused", &once, errors.New("the session has expired"), ErrDenied},
	} {
		for _, sort := range []func(string, error, error) error{s3Fail, gcsFail} {
			if err := sort("t/a/head", fmt.Errorf("get identity: %w", row.login.check(row.err)), ErrAmbiguous); !errors.Is(err, row.want) {
				t.Errorf("%s: %v, want %v", row.name, err, row.want)
			}
		}
	}
}

// TestS3OneRequest writes what the library would send in parts.
func TestS3OneRequest(t *testing.T) {
	awsSettings(t, map[string]string{"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"})
	var sent []string
	s, err := openS3(t.Context(), "weir-state", "msp/", transport(func(r *http.Request) (*http.Response, error) {
		n, err := io.Copy(io.Discard, r.Body)
		sent = append(sent, fmt.Sprintf("%s %s %d %s %s", r.Method, r.URL.Path, n, r.Header.Get("If-Match"), r.Header.Get("If-None-Match")))
		return &http.Response{StatusCode: 200, Header: http.Header{"Etag": {`"e"`}}, Body: http.NoBody, Request: r}, err
	}))
	if err != nil {
		t.Fatal(err)
	}
	large := make([]byte, 20<<20)
	for _, prev := range []Version{"", `"v"`} {
		if _, err := s.Put(t.Context(), "t/a/large", large, prev); err != nil {
			t.Error(err)
		}
	}
	want := []string{"PUT /weir-state/msp/t/a/large 20971520  *", `PUT /weir-state/msp/t/a/large 20971520 "v" `}
	if !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
}
