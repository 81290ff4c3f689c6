package cli

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/weir-project/weir/config"
)

func (a *App) validateCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check the files without asking any vendor",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			graph, diags := config.Load(os.DirFS(a.dir()), ".", builtin())
			if graph != nil && !diags.HasErrors() {
				diags = append(diags, graph.Validate()...)
			}
			if asJSON {
				if err := json.NewEncoder(a.Stdout).Encode(validateJSON(diags)); err != nil {
					return err
				}
			} else {
				(&workspace{app: a, graph: graph}).warn(diags)
				if !diags.HasErrors() {
					_, _ = fmt.Fprintln(a.Stdout, "Success! The configuration is valid.")
				}
			}
			if diags.HasErrors() {
				return codeError(exitError)
			}
			return nil
		},
	}
	(&simulationFlags{}).register(cmd.Flags()) // every command takes them; this one asks nobody, simulated or not
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as Terraform's validate -json does")
	return cmd
}

// validateJSON has the shape of Terraform's validate -json, format 1.0.
func validateJSON(diags hcl.Diagnostics) map[string]any {
	type pos struct {
		Line   int `json:"line"`
		Column int `json:"column"`
		Byte   int `json:"byte"`
	}
	type rng struct {
		Filename string `json:"filename"`
		Start    pos    `json:"start"`
		End      pos    `json:"end"`
	}
	type diagnostic struct {
		Severity string `json:"severity"`
		Summary  string `json:"summary"`
		Detail   string `json:"detail"`
		Range    *rng   `json:"range,omitempty"`
	}
	list := []diagnostic{}
	errs, warnings := 0, 0
	for _, d := range diags {
		out := diagnostic{Severity: "warning", Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagError {
			out.Severity = "error"
			errs++
		} else {
			warnings++
		}
		if s := d.Subject; s != nil {
			out.Range = &rng{s.Filename, pos{s.Start.Line, s.Start.Column, s.Start.Byte}, pos{s.End.Line, s.End.Column, s.End.Byte}}
		}
		list = append(list, out)
	}
	return map[string]any{"format_version": "1.0", "valid": errs == 0, "error_count": errs, "warning_count": warnings, "diagnostics": list}
}
