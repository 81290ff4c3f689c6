package storetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

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

// Azurite starts Microsoft's emulator and returns the value for
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
	address := serve(tb, "Azurite", func(ctx context.Context, port string) *exec.Cmd {
		// The installed clients speak a newer API version than the emulator knows.
		return exec.CommandContext(ctx, node, script, "--blobHost", "127.0.0.1", "--blobPort", port,
			"--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck")
	})
	connection := fmt.Sprintf("DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;BlobEndpoint=http://%s/%s;", account, key, address, account)
	MakeContainers(tb, connection, containers...)
	return connection
}

func azurePlace(connection string) Place {
	return Place{Name: "azblob-azurite", URL: "azblob://" + bucketName, Env: map[string]string{
		"AZURE_STORAGE_CONNECTION_STRING": connection,
		"AZURE_STORAGE_ACCOUNT":           "", "AZURE_STORAGE_KEY": "", "AZURE_STORAGE_SAS_TOKEN": "", "AZURE_STORAGE_DOMAIN": "",
	}}
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
