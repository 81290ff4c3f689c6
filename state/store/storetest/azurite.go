// Package storetest runs a real Azure Blob Storage protocol for tests: Azurite,
// Microsoft's emulator, as a child process on a loopback port.
//
// Given: a test, and the emulator's place in WEIR_AZURITE. Returned: a
// connection string. Effects: one child process and its port, until the test
// ends. Imported by tests only.
package storetest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
)

// Environment names the variable that says where Azurite is: its
// dist/src/blob/main.js, or the folder in which it was installed with npm.
const Environment = "WEIR_AZURITE"

// The emulator's well-known account, not a secret:
// https://learn.microsoft.com/azure/storage/common/storage-connect-azurite
const (
	account = "devstoreaccount1"
	key     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// Azurite starts the emulator and returns the value for
// AZURE_STORAGE_CONNECTION_STRING. Without Azurite or node it skips the test and
// says what is missing. The containers named are made.
func Azurite(tb testing.TB, containers ...string) string {
	tb.Helper()
	script := script()
	if script == "" {
		tb.Skipf("no Azurite: run `npm install azurite@3.35.0` in some folder and set %s to that folder", Environment)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		tb.Skipf("no node to run Azurite with: %v", err)
	}
	port := freePort(tb)
	ctx, cancel := context.WithCancel(context.Background())
	var output bytes.Buffer
	// The installed clients speak a newer API version than the emulator knows.
	cmd := exec.CommandContext(ctx, node, script, "--blobHost", "127.0.0.1", "--blobPort", fmt.Sprint(port),
		"--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck")
	cmd.Dir = tb.TempDir()
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		cancel()
		tb.Fatalf("starting Azurite: %v", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // killed at the end, or its output tells why not
		close(exited)
	}()
	tb.Cleanup(func() { cancel(); <-exited })

	address := fmt.Sprintf("127.0.0.1:%d", port)
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			break
		}
		select {
		case <-exited:
			tb.Fatalf("Azurite ended by itself: %s", &output)
		case <-time.After(50 * time.Millisecond):
		}
	}
	connection := fmt.Sprintf("DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;BlobEndpoint=http://%s/%s;", account, key, address, account)
	MakeContainers(tb, connection, containers...)
	return connection
}

// MakeContainers makes containers in a storage account.
func MakeContainers(tb testing.TB, connection string, names ...string) {
	tb.Helper()
	client, err := service.NewClientFromConnectionString(connection, nil)
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range names {
		if _, err := client.CreateContainer(tb.Context(), name, nil); err != nil {
			tb.Fatalf("making container %s: %v", name, err)
		}
	}
}

// script finds the emulator's entry point, or returns "".
func script() string {
	place := os.Getenv(Environment)
	if place == "" {
		return ""
	}
	for _, candidate := range []string{
		place,
		filepath.Join(place, "dist/src/blob/main.js"),
		filepath.Join(place, "azurite/dist/src/blob/main.js"),
		filepath.Join(place, "node_modules/azurite/dist/src/blob/main.js"),
	} {
		if info, err := os.Stat(candidate); err == nil && info.Mode().IsRegular() {
			return candidate
		}
	}
	return ""
}

func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
