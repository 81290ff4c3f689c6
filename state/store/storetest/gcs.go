package storetest

import (
	"context"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// FakeGCS starts fake-gcs-server in memory. It ignores conditions on deletes.
func FakeGCS(tb testing.TB) Place {
	tb.Helper()
	program := binary(tb, "WEIR_FAKE_GCS", "fake-gcs-server")
	address := serve(tb, "fake-gcs-server", func(ctx context.Context, port string) *exec.Cmd {
		return exec.CommandContext(ctx, program, "-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", port, "-log-level", "error")
	})
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, "http://"+address+"/storage/v1/b?project=weir", strings.NewReader(`{"name":"`+bucketName+`"}`))
	if err != nil {
		tb.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		tb.Fatalf("making a bucket: %v", err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		tb.Fatalf("making a bucket: %s", response.Status)
	}
	return Place{Name: "gs-fake", URL: "gs://" + bucketName, Env: map[string]string{
		"STORAGE_EMULATOR_HOST": address, "GOOGLE_APPLICATION_CREDENTIALS": "",
	}}
}
