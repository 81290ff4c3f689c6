package store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	azureobject "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"
)

// azureAccess is how to reach an account. It comes from the operator's
// environment and never from a URL.
type azureAccess struct {
	account    string // AZURE_STORAGE_ACCOUNT
	key        string // AZURE_STORAGE_KEY
	sas        string // AZURE_STORAGE_SAS_TOKEN
	connection string // AZURE_STORAGE_CONNECTION_STRING
	domain     string // AZURE_STORAGE_DOMAIN; empty for the public cloud
	transport  http.RoundTripper
}

func azureFromEnvironment() azureAccess {
	return azureAccess{
		account:    os.Getenv("AZURE_STORAGE_ACCOUNT"),
		key:        os.Getenv("AZURE_STORAGE_KEY"),
		sas:        os.Getenv("AZURE_STORAGE_SAS_TOKEN"),
		connection: os.Getenv("AZURE_STORAGE_CONNECTION_STRING"),
		domain:     os.Getenv("AZURE_STORAGE_DOMAIN"),
	}
}

// A container name, https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
var containerName = regexp.MustCompile(`^[a-z0-9](-?[a-z0-9]){2,62}$`)

// openAzure keeps objects as block blobs of one container.
func openAzure(ctx context.Context, name, prefix string, access azureAccess) (Store, error) {
	if !containerName.MatchString(name) {
		return nil, fmt.Errorf("azblob://%s: not the name of a container: 3 to 63 of a-z, 0-9 and single hyphens", name)
	}
	web := storageClient(access.transport)
	client, err := access.client(name, web)
	if err != nil {
		return nil, fmt.Errorf("azblob://%s: %w", name, err)
	}
	if err := checkEndpoint(client.URL()); err != nil {
		return nil, fmt.Errorf("azblob://%s: %w", name, err)
	}
	bucket, err := azureblob.OpenBucket(ctx, client, nil)
	if err != nil {
		return nil, fmt.Errorf("azblob://%s: %w", name, err)
	}
	return &remote{
		bucket: bucket, prefix: prefix, version: azureVersion, condition: azureCondition, object: azureFail, other: azureFail,
		close: func() error { web.CloseIdleConnections(); return nil },
	}, nil
}

// client chooses the credential in the order of the library's own opener, which
// takes no retry options.
func (a azureAccess) client(name string, web *http.Client) (*container.Client, error) {
	o := &container.ClientOptions{ClientOptions: policy.ClientOptions{
		Transport: web,
		Telemetry: policy.TelemetryOptions{ApplicationID: "weir"},
		// Longer outages are the lease's to sit out, which knows how long it may.
		Retry: policy.RetryOptions{MaxRetries: 2, TryTimeout: 30 * time.Second, RetryDelay: 200 * time.Millisecond, MaxRetryDelay: 2 * time.Second},
	}}
	if a.connection != "" && (a.account == "" || a.key == "") && a.sas == "" {
		c, err := container.NewClientFromConnectionString(a.connection, name, o)
		if err != nil {
			// The library's text may quote the string, and with it the key.
			return nil, errors.New("AZURE_STORAGE_CONNECTION_STRING cannot be used; copy it again from the account's access keys")
		}
		return c, nil
	}
	if a.account == "" {
		return nil, errors.New("set AZURE_STORAGE_ACCOUNT (with AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or a signed-in identity), or AZURE_STORAGE_CONNECTION_STRING")
	}
	service, err := azureblob.NewServiceURL(&azureblob.ServiceURLOptions{AccountName: a.account, SASToken: a.sas, StorageDomain: a.domain})
	if err != nil {
		return nil, err
	}
	u, err := url.JoinPath(string(service), name)
	if err != nil {
		return nil, errors.New("AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_DOMAIN do not make a URL")
	}
	switch {
	case a.key != "":
		credential, err := azblob.NewSharedKeyCredential(a.account, a.key)
		if err != nil {
			return nil, errors.New("AZURE_STORAGE_KEY is not an account key")
		}
		return container.NewClientWithSharedKeyCredential(u, credential, o)
	case a.sas != "":
		return container.NewClientWithNoCredential(u, o)
	}
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, err
	}
	return container.NewClient(u, credential, o)
}

func azureVersion(r *blob.Reader) Version {
	var response azureobject.DownloadStreamResponse
	if !r.As(&response) || response.ETag == nil {
		return ""
	}
	return Version(*response.ETag)
}

func azureCondition(as func(any) bool, prev Version, _ int) error {
	if prev == "" {
		return nil
	}
	var options *azblob.UploadStreamOptions
	if !as(&options) {
		return errNoCondition
	}
	etag := azcore.ETag(prev)
	options.AccessConditions = &azblob.AccessConditions{
		ModifiedAccessConditions: &azureobject.ModifiedAccessConditions{IfMatch: &etag},
	}
	return nil
}

// azureFail sorts an error of the library into the five kinds; other is the kind
// of what got no answer. The codes are at
// https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes
func azureFail(key string, err error, other error) error {
	var login *azidentity.AuthenticationFailedError
	if errors.As(err, &login) {
		return fail(key, ErrDenied, errors.New("no token for the storage account; check the signed-in identity"))
	}
	var response *azcore.ResponseError
	if !errors.As(err, &response) {
		return fail(key, other, err)
	}
	// The library's own text is a page long and has the request in it.
	cause := fmt.Errorf("azure answered %d %s", response.StatusCode, response.ErrorCode)
	switch code := bloberror.Code(response.ErrorCode); {
	case code == bloberror.BlobNotFound:
		return fail(key, ErrAbsent, nil)
	case code == bloberror.ContainerNotFound:
		return fail(key, ErrDenied, missingBucket(cause, "container"))
	case code == bloberror.BlobAlreadyExists, code == bloberror.ConditionNotMet, code == bloberror.TargetConditionNotMet,
		response.StatusCode == http.StatusPreconditionFailed:
		return fail(key, ErrConflict, cause)
	case response.StatusCode == http.StatusRequestTimeout, response.StatusCode == http.StatusTooManyRequests, response.StatusCode >= 500:
		return fail(key, other, cause)
	case response.StatusCode == http.StatusConflict:
		return fail(key, other, cause) // such as a container that is being deleted
	}
	return fail(key, ErrDenied, cause)
}
