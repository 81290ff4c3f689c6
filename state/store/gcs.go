package store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	gax "github.com/googleapis/gax-go/v2"
	"gocloud.dev/blob"
	"gocloud.dev/blob/gcsblob"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
)

// A bucket name, https://cloud.google.com/storage/docs/buckets#naming
var gcsBucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$`)

// gcsScope lets objects be read and written, and nothing be administered.
const gcsScope = "https://www.googleapis.com/auth/devstorage.read_write"

const gcsAttempts = 3

var gcsBackoff = gax.Backoff{Initial: 200 * time.Millisecond, Max: 2 * time.Second}

// openGCS keeps objects in a bucket of Google Cloud Storage. It takes credentials from where Google's own programs look, beginning
// with GOOGLE_APPLICATION_CREDENTIALS; with STORAGE_EMULATOR_HOST it talks to
// that host without any. transport is nil outside of tests.
func openGCS(ctx context.Context, name, prefix string, transport http.RoundTripper) (Store, error) {
	if !gcsBucketName.MatchString(name) {
		return nil, fmt.Errorf("gs://%s: not the name of a bucket: a-z, 0-9, '.', '_' and '-'", name)
	}
	client := storageClient(transport)
	web := *client // without the sign-in, which hides the connections
	if host := os.Getenv("STORAGE_EMULATOR_HOST"); host != "" {
		if !strings.Contains(host, "://") {
			host = "http://" + host // as the library reads it
		}
		if err := checkEndpoint(host); err != nil {
			return nil, fmt.Errorf("gs://%s: STORAGE_EMULATOR_HOST: %w", name, err)
		}
	} else {
		credentials, err := google.FindDefaultCredentials(ctx, gcsScope)
		if err != nil {
			// The library's text may quote the file.
			return nil, fmt.Errorf("gs://%s: no usable credentials; set GOOGLE_APPLICATION_CREDENTIALS to the path of a key file, or sign in with gcloud auth application-default login", name)
		}
		client.Transport = &oauth2.Transport{Base: client.Transport, Source: &gcsLogin{TokenSource: credentials.TokenSource}}
	}
	// Over JSON also for reading: the other protocol does not tell a bucket that is
	// not there from an object that is not. The client above signs in, hence
	// "without".
	service, err := storage.NewClient(ctx, option.WithHTTPClient(client), option.WithoutAuthentication(), storage.WithJSONReads())
	if err != nil {
		return nil, fmt.Errorf("gs://%s: %w", name, err)
	}
	// Longer outages are the lease's to sit out, which knows how long it may.
	service.SetRetry(storage.WithMaxAttempts(gcsAttempts), storage.WithBackoff(gcsBackoff))
	bucket, err := gcsblob.OpenBucket(ctx, nil, name, &gcsblob.Options{Client: service})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("gs://%s: %w", name, err), service.Close())
	}
	return &remote{
		bucket: bucket, prefix: prefix, version: gcsVersion, condition: gcsCondition, object: gcsObjectFail, other: gcsFail,
		close: func() error { web.CloseIdleConnections(); return service.Close() },
	}, nil
}

// gcsLogin tells a failure to get a token from one of the request.
type gcsLogin struct {
	oauth2.TokenSource
	login login
}

func (s *gcsLogin) Token() (*oauth2.Token, error) {
	t, err := s.TokenSource.Token()
	return t, s.login.check(err)
}

func gcsVersion(r *blob.Reader) Version {
	var response *storage.Reader
	if !r.As(&response) || response.Attrs.Generation <= 0 {
		return ""
	}
	return Version(strconv.FormatInt(response.Attrs.Generation, 10))
}

// gcsCondition prepares an upload. It may be answered 429: one object takes about
// one write a second, https://cloud.google.com/storage/quotas#objects
func gcsCondition(as func(any) bool, prev Version, _ int) error {
	var handle **storage.ObjectHandle
	if !as(&handle) {
		return errNoCondition
	}
	if prev != "" {
		generation, err := strconv.ParseInt(string(prev), 10, 64)
		if err != nil || generation <= 0 {
			return fmt.Errorf("%w: %q is no generation", ErrConflict, prev)
		}
		*handle = (*handle).If(storage.Conditions{GenerationMatch: generation})
	}
	// The library counts no attempts at uploads: it would go on until the context
	// ends.
	failed := 0
	*handle = (*handle).Retryer(storage.WithBackoff(gcsBackoff), storage.WithErrorFunc(func(err error) bool {
		if !storage.ShouldRetry(err) {
			return false
		}
		failed++
		return failed < gcsAttempts
	}))
	return nil
}

// gcsFail sorts an error of the library into the five kinds; other is the kind
// of what got no answer. The driver between reports 403 as not found, so it is
// not asked. The codes are at
// https://cloud.google.com/storage/docs/json_api/v1/status-codes
func gcsFail(key string, err error, other error) error {
	var login *loginError
	if errors.As(err, &login) {
		return fail(key, login.kind(other), errors.New("no token for Google Cloud Storage; check the key file or the signed-in identity"))
	}
	var response *googleapi.Error
	if !errors.As(err, &response) {
		return fail(key, other, err)
	}
	cause := fmt.Errorf("google cloud storage answered %d", response.Code)
	switch {
	case response.Code == http.StatusNotFound:
		return fail(key, ErrDenied, missingBucket(cause, "bucket"))
	case response.Code == http.StatusPreconditionFailed:
		return fail(key, ErrConflict, cause)
	case response.Code == http.StatusRequestTimeout, response.Code == http.StatusTooManyRequests, response.Code >= 500:
		return fail(key, other, cause)
	case response.Code == http.StatusConflict:
		return fail(key, other, cause) // such as a bucket that is being changed
	}
	return fail(key, ErrDenied, cause)
}

// gcsObjectFail is gcsFail for requests to an object that should be there. The
// answer has one reason code for a missing object and a missing bucket, only
// the text differs, as seen in clients: "No such object: bucket/key", from the
// emulator "Not Found". Any other 404 is not an absent object.
func gcsObjectFail(key string, err error, other error) error {
	var response *googleapi.Error
	if errors.As(err, &response) && response.Code == http.StatusNotFound {
		// A refused download is not taken apart by the library: its text is the body.
		m, b := response.Message, strings.TrimSpace(response.Body)
		if strings.Contains(m+b, "No such object") || m == "Not Found" || b == "Not Found" {
			return fail(key, ErrAbsent, nil)
		}
	}
	return gcsFail(key, err, other)
}
