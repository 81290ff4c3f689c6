package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
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

// gcs keeps objects in a bucket of Google Cloud Storage.
type gcs struct {
	bucket *blob.Bucket
	client *storage.Client
	prefix string
}

// A bucket name, https://cloud.google.com/storage/docs/buckets#naming
var gcsBucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$`)

// gcsScope lets objects be read and written, and nothing be administered.
const gcsScope = "https://www.googleapis.com/auth/devstorage.read_write"

const gcsAttempts = 3

var gcsBackoff = gax.Backoff{Initial: 200 * time.Millisecond, Max: 2 * time.Second}

// openGCS takes credentials from where Google's own programs look, beginning
// with GOOGLE_APPLICATION_CREDENTIALS; with STORAGE_EMULATOR_HOST it talks to
// that host without any. transport is nil outside of tests.
func openGCS(ctx context.Context, name, prefix string, transport http.RoundTripper) (Store, error) {
	if !gcsBucketName.MatchString(name) {
		return nil, fmt.Errorf("gs://%s: not the name of a bucket: a-z, 0-9, '.', '_' and '-'", name)
	}
	client := storageClient(transport)
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
	return &gcs{bucket: bucket, client: service, prefix: prefix}, nil
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

func (g *gcs) Close() error { return errors.Join(g.bucket.Close(), g.client.Close()) }

func (g *gcs) Get(ctx context.Context, key string) ([]byte, Version, error) {
	// The library takes up a broken read as often as it breaks.
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	r, err := g.bucket.NewReader(ctx, g.prefix+key, nil)
	if err != nil {
		return nil, "", gcsObjectFail(key, err, ErrUnavailable)
	}
	defer func() { _ = r.Close() }()
	var response *storage.Reader
	if !r.As(&response) || response.Attrs.Generation <= 0 {
		return nil, "", fail(key, ErrUnavailable, errors.New("the answer has no generation"))
	}
	body, err := io.ReadAll(r)
	if err != nil {
		// Never absent: when a broken read is taken up again, the generation it began
		// with may have been replaced.
		return nil, "", fail(key, ErrUnavailable, err)
	}
	return body, Version(strconv.FormatInt(response.Attrs.Generation, 10)), nil
}

// Put may be answered 429: one object takes about one write a second,
// https://cloud.google.com/storage/quotas#objects
func (g *gcs) Put(ctx context.Context, key string, body []byte, prev Version) (Version, error) {
	if !validKey(key) {
		return "", fail(key, ErrDenied, errKey)
	}
	var generation int64
	if prev != "" {
		var err error
		if generation, err = strconv.ParseInt(string(prev), 10, 64); err != nil || generation <= 0 {
			return "", fail(key, ErrConflict, fmt.Errorf("%q is no generation", prev))
		}
	}
	o := &blob.WriterOptions{
		ContentType: "application/octet-stream",
		BufferSize:  len(body) + 1, // so that it is one request
		IfNotExist:  prev == "",
		BeforeWrite: func(as func(any) bool) error {
			var handle **storage.ObjectHandle
			if !as(&handle) {
				return errors.New("the library offers no condition on uploads")
			}
			if prev != "" {
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
		},
	}
	if err := g.bucket.Upload(ctx, g.prefix+key, bytes.NewReader(body), o); err != nil {
		return "", gcsFail(key, err, ErrAmbiguous)
	}
	return "", nil // the library keeps the new version to itself
}

func (g *gcs) List(ctx context.Context, prefix string) iter.Seq2[Item, error] {
	return listBucket(ctx, g.bucket, g.prefix, prefix, gcsFail)
}

func (g *gcs) Remove(ctx context.Context, key string) error {
	err := g.bucket.Delete(ctx, g.prefix+key)
	if err == nil {
		return nil
	}
	if err = gcsObjectFail(key, err, ErrAmbiguous); errors.Is(err, ErrAbsent) {
		return nil
	}
	return err
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
		return fail(key, ErrDenied, fmt.Errorf("%w: there is no such bucket; make it first, private and with versioning on", cause))
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
