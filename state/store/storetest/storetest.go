// Package storetest runs, for tests, servers that speak the protocols of the
// buckets in which state is kept: Azurite for Azure, versitygw and gofakes3 for
// S3, fake-gcs-server for Google Cloud Storage. Each is a child process on a
// loopback port.
//
// Given: a test, and the servers' places in the environment: WEIR_AZURITE,
// WEIR_VERSITYGW, WEIR_GOFAKES3, WEIR_FAKE_GCS; .ci/run sets them. Returned: a
// Place, which is a state URL and the environment that goes with it. Effects:
// one child process and its port, until the test ends. A test whose server is
// not there is skipped and says so. Imported by tests only.
package storetest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Place is somewhere to keep state, empty at first.
type Place struct {
	Name string            // of the kind, such as "s3-versitygw"
	URL  string            // a state URL without a prefix
	Env  map[string]string // what a process needs in its environment to open it; empty values hide the user's own
}

// Below returns the state URL of the part of the place below a prefix such as
// "p1/", for tests that share one.
func (p Place) Below(prefix string) string { return p.URL + "?prefix=" + prefix }

// Setenv puts the environment of the place into this process for the duration
// of the test.
func (p Place) Setenv(tb testing.TB) {
	tb.Helper()
	for name, value := range p.Env {
		tb.Setenv(name, value)
	}
}

// Kind is one kind of store.
type Kind struct {
	Name string
	// Start makes a place that lives as long as the test. It skips the test if
	// something is missing, and says what.
	Start func(tb testing.TB) Place
}

// bucketName is the bucket or container of every place.
const bucketName = "weir-state"

// Kinds are all stores that outlive a process.
func Kinds() []Kind {
	return []Kind{
		{Name: "file", Start: Folder},
		{Name: "azblob-azurite", Start: func(tb testing.TB) Place {
			tb.Helper()
			return azurePlace(Azurite(tb, bucketName))
		}},
		{Name: "s3-versitygw", Start: Versitygw},
		{Name: "s3-gofakes3", Start: Gofakes3},
		{Name: "gs-fake", Start: FakeGCS},
	}
}

// Each runs a test in a place of every kind, as subtests named by the kind, one
// after the other.
func Each(t *testing.T, test func(*testing.T, Place)) {
	t.Helper()
	for _, k := range Kinds() {
		t.Run(k.Name, func(t *testing.T) { test(t, k.Start(t)) })
	}
}

// Folder is a place in the file system.
func Folder(tb testing.TB) Place {
	tb.Helper()
	return Place{Name: "file", URL: "file://" + tb.TempDir() + "/state"}
}

// binary returns the path in an environment variable, or skips.
func binary(tb testing.TB, variable, what string) string {
	tb.Helper()
	path := os.Getenv(variable)
	if path == "" {
		tb.Skipf("no %s: build it with `go build -C .ci/servers -o /tmp/ %s` and set %s to the binary", what, servers[what], variable)
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		tb.Skipf("%s=%s is not a program", variable, path)
	}
	return path
}

// servers are the packages that .ci/servers pins.
var servers = map[string]string{
	"versitygw":       "github.com/versity/versitygw/cmd/versitygw",
	"gofakes3":        "github.com/johannesboyne/gofakes3/cmd/gofakes3",
	"fake-gcs-server": "github.com/fsouza/fake-gcs-server",
}

// serve runs a server until the test ends and waits until it listens. command is
// given a free loopback port.
func serve(tb testing.TB, name string, command func(ctx context.Context, port string) *exec.Cmd) (address string) {
	tb.Helper()
	address = freeAddress(tb)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var output bytes.Buffer
	cmd := command(ctx, port)
	cmd.Dir = tb.TempDir()
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		cancel()
		tb.Fatalf("starting %s: %v", name, err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // killed at the end, or its output tells why not
		close(exited)
	}()
	tb.Cleanup(func() { cancel(); <-exited })
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			return address
		}
		select {
		case <-exited:
			tb.Fatalf("%s ended by itself: %s", name, &output)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func freeAddress(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return fmt.Sprint(l.Addr())
}
