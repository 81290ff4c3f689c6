package cli

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/weir-project/weir/providers"
	"github.com/weir-project/weir/providers/resource"
)

// builtin is the registry of every type that the program knows.
func builtin() *resource.Registry { return providers.Builtin() }

func (a *App) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return json.NewEncoder(a.Stdout).Encode(map[string]string{"weir_version": Version, "platform": runtime.GOOS + "_" + runtime.GOARCH, "go_version": runtime.Version()})
			}
			_, err := fmt.Fprintf(a.Stdout, "Weir %s on %s_%s\n", Version, runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
