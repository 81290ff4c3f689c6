package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// Open opens the store at a URL:
//
//	file:///srv/weir-state           a folder of this machine
//	azblob://container?prefix=msp/   an Azure container; account and credentials
//	                                 come from the AZURE_STORAGE_* variables
//	s3://bucket?prefix=msp/          a bucket of S3 or of a service like it; region,
//	                                 endpoint and credentials come from the AWS_*
//	                                 variables and the shared AWS files
//	gs://bucket?prefix=msp/          a Google Cloud Storage bucket; credentials come
//	                                 from GOOGLE_APPLICATION_CREDENTIALS or the
//	                                 signed-in identity
//
// The only parameter is prefix, below which all keys lie: parameters that name
// an endpoint would send credentials wherever a URL says, and so may a region.
// Nothing is read or written yet.
func Open(ctx context.Context, rawURL string) (Store, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("the state url is not a URL; it looks like file:///srv/weir-state or azblob://container?prefix=msp/")
	}
	prefix, err := urlPrefix(u)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "file":
		dir, err := urlFolder(u)
		if err != nil {
			return nil, err
		}
		return &file{dir: filepath.Join(dir, filepath.FromSlash(prefix)), clock: SystemClock()}, nil
	case "azblob", "s3", "gs":
		if u.Path != "" && u.Path != "/" || u.Port() != "" || u.Opaque != "" {
			return nil, fmt.Errorf("state url %s: after %s:// stands the name of the container or bucket alone; a folder in it is ?prefix=msp/", u.Redacted(), u.Scheme)
		}
	}
	switch u.Scheme {
	case "azblob":
		return openAzure(ctx, u.Host, prefix, azureFromEnvironment())
	case "s3":
		return openS3(ctx, u.Host, prefix, nil)
	case "gs":
		return openGCS(ctx, u.Host, prefix, nil)
	}
	return nil, fmt.Errorf("state url with scheme %q: state is kept in file://, azblob://, s3:// or gs://", u.Scheme)
}

var prefixPattern = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9._-]*/)*$`)

// urlPrefix returns the prefix, empty or ending in a slash, and refuses every
// other parameter and all that has no place in such a URL.
func urlPrefix(u *url.URL) (string, error) {
	if u.User != nil {
		return "", errors.New("the state url holds a user name or password; credentials come from the environment")
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Fragment != "" {
		return "", fmt.Errorf("the state url ends in something that is no list of parameters")
	}
	for name, v := range values {
		if name != "prefix" || len(v) != 1 {
			return "", fmt.Errorf("state url parameter %q: the only one is prefix, once; an endpoint or account comes from the environment", name)
		}
	}
	prefix := values.Get("prefix")
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	if !prefixPattern.MatchString(prefix) || len(prefix) > 256 {
		return "", fmt.Errorf("state url prefix %q: use letters, digits, '.', '_' and '-', separated by '/'", prefix)
	}
	return prefix, nil
}

// urlFolder returns the folder of a file URL.
func urlFolder(u *url.URL) (string, error) {
	if u.Host != "" && u.Host != "localhost" || u.Opaque != "" || !strings.HasPrefix(u.Path, "/") {
		return "", fmt.Errorf("state url %s: a folder is named absolutely, with three slashes: file:///srv/weir-state", u.Redacted())
	}
	dir := u.Path
	if runtime.GOOS == "windows" {
		dir = strings.TrimPrefix(dir, "/") // file:///C:/weir
	}
	return filepath.FromSlash(dir), nil
}
