package store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
	"gocloud.dev/gcerrors"
)

// A bucket name, https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
// It is never an ARN, which would name a host.
var s3BucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// openS3 keeps objects in a bucket of S3, or of a service that speaks its
// protocol. It takes credentials, region and endpoint from the operator's environment
// and shared configuration: AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_REGION,
// AWS_ENDPOINT_URL_S3 and what else the library knows. transport is nil outside
// of tests.
func openS3(ctx context.Context, name, prefix string, transport http.RoundTripper) (Store, error) {
	if !s3BucketName.MatchString(name) {
		return nil, fmt.Errorf("s3://%s: not the name of a bucket: 3 to 63 of a-z, 0-9, '.' and '-'", name)
	}
	if strings.HasSuffix(name, "--x-s3") {
		// Their listings are in no order, https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
		return nil, fmt.Errorf("s3://%s: a directory bucket cannot hold state; use a general purpose bucket", name)
	}
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("s3://%s: the AWS settings cannot be used: %w", name, err)
	}
	if settings.Region == "" {
		return nil, fmt.Errorf("s3://%s: set AWS_REGION to the region of the bucket, or to what the service of AWS_ENDPOINT_URL_S3 documents, often us-east-1", name)
	}
	web := storageClient(transport)
	client := awss3.NewFromConfig(settings, func(o *awss3.Options) {
		o.AppID = "weir"
		o.HTTPClient = web
		if o.Credentials != nil {
			o.Credentials = &s3Login{CredentialsProvider: o.Credentials}
		}
		// Longer outages are the lease's to sit out, which knows how long it may.
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts, r.RateLimiter = 3, ratelimit.None
			r.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
				return min(200*time.Millisecond<<attempt, 2*time.Second), nil
			})
		})
		o.RetryMaxAttempts = 3
		o.Logger = logging.Nop{}               // it would write to standard error
		o.UsePathStyle = o.BaseEndpoint != nil // host names per bucket are Amazon's own
	})
	if endpoint := client.Options().BaseEndpoint; endpoint != nil {
		if err := checkEndpoint(*endpoint); err != nil {
			return nil, fmt.Errorf("s3://%s: AWS_ENDPOINT_URL_S3: %w", name, err)
		}
	}
	bucket, err := s3blob.OpenBucket(ctx, client, name, nil)
	if err != nil {
		return nil, fmt.Errorf("s3://%s: %w", name, err)
	}
	return &remote{
		bucket: bucket, prefix: prefix, version: s3Version, condition: s3Condition(client), object: s3Fail, other: s3Fail, gone: s3Gone,
		close: func() error { web.CloseIdleConnections(); return nil },
	}, nil
}

// s3Login tells a failure to get credentials from one of the request.
type s3Login struct {
	aws.CredentialsProvider
	login login
}

func (p *s3Login) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := p.CredentialsProvider.Retrieve(ctx)
	return c, p.login.check(err)
}

func s3Version(r *blob.Reader) Version {
	var response awss3.GetObjectOutput
	if !r.As(&response) {
		return ""
	}
	return Version(aws.ToString(response.ETag))
}

// s3Gone: the library looks first, by a request whose answer has no code.
func s3Gone(err error) bool { return gcerrors.Code(err) == gcerrors.NotFound }

func s3Condition(client *awss3.Client) func(func(any) bool, Version, int) error {
	return func(as func(any) bool, prev Version, size int) error {
		var uploader *transfermanager.Client
		var input *transfermanager.UploadObjectInput
		if !as(&uploader) || !as(&input) {
			return errNoCondition
		}
		// One request whatever the size: stores are known that ignore conditions on an
		// upload in parts.
		*uploader = *transfermanager.New(client, func(o *transfermanager.Options) {
			o.MultipartUploadThreshold = int64(size) + 1
			o.RequestChecksumCalculation = client.Options().RequestChecksumCalculation
		})
		if prev != "" {
			input.IfMatch = aws.String(string(prev))
		}
		return nil
	}
}

// s3Fail sorts an error of the library into the five kinds; other is the kind of
// what got no answer. The codes are at
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, those of
// conditional writes at
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func s3Fail(key string, err error, other error) error {
	var login *loginError
	if errors.As(err, &login) {
		return fail(key, login.kind(other), login)
	}
	var response *awshttp.ResponseError
	if !errors.As(err, &response) || response.HTTPStatusCode() < 300 {
		return fail(key, other, err)
	}
	status, code := response.HTTPStatusCode(), ""
	var api smithy.APIError
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	cause := fmt.Errorf("s3 answered %d %s", status, code)
	switch {
	case code == "NoSuchKey":
		return fail(key, ErrAbsent, nil)
	case code == "NoSuchBucket":
		return fail(key, ErrDenied, missingBucket(cause, "bucket"))
	case status == http.StatusPreconditionFailed:
		return fail(key, ErrConflict, cause)
	case status == http.StatusNotImplemented:
		return fail(key, ErrDenied, fmt.Errorf("%w: %w: it does not know conditional writes", cause, ErrUnfit))
	case status < 400, code == "AuthorizationHeaderMalformed":
		return fail(key, ErrDenied, fmt.Errorf("%w: the bucket is in another region; set AWS_REGION to it", cause))
	case code == "RequestTimeTooSkewed":
		return fail(key, ErrDenied, fmt.Errorf("%w: the clock of this machine is wrong", cause))
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500,
		code == "RequestTimeout", code == "IncompleteBody", code == "BadDigest": // these three come as 400
		return fail(key, other, cause)
	case status == http.StatusConflict:
		return fail(key, other, cause) // ConditionalRequestConflict: another write was under way, neither of both need have won
	}
	return fail(key, ErrDenied, cause)
}
