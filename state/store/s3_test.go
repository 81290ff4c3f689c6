package store

import (
	"os"
	"testing"
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
