// Command weir manages the mail edge of Microsoft 365 tenants behind Proofpoint Essentials as code.
package main

import (
	"os"

	"github.com/weir-project/weir/cmd/internal/cli"
)

func main() { os.Exit(cli.Main(cli.OS(), os.Args[1:])) }
