package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/state"
)

func (a *App) showCommand() *cobra.Command {
	var c configFlags
	var asJSON, markdown, names bool
	var html string
	cmd := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Show a saved plan, or the state of the tenants",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if len(args) == 0 {
				w, err := a.remember(cmd.Context(), c)
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, w.close()) }()
				return w.eachState(cmd.Context(), func(_ *unit, s *state.State) error { return a.showState(s, asJSON) })
			}
			p, info, err := a.readPlan(cmd.Context(), c, a.path(args[0]))
			if err != nil {
				return err
			}
			left, err := a.leftOutOf(cmd.Context(), c, p, info)
			if err != nil {
				return err
			}
			options := a.outOptions()
			options.Names, options.Proofs = names, true
			options.File, options.Flags = args[0], a.repeatedFile(c, p)
			if left != nil {
				left.omit(p)
				options.Approved = render.Approval{At: left.approved, By: left.by}
				options.GoOn = render.Command("apply", append(append([]string{"--resume"}, options.Flags...), args[0]))
			}
			if html != "" {
				return writeFile(a.path(html), func(f io.Writer) error { return render.HTML(f, p, options) })
			}
			switch {
			case asJSON:
				return render.JSON(a.Stdout, p, options)
			case markdown:
				return render.Markdown(a.Stdout, p, options)
			}
			return render.Text(a.Stdout, p, options)
		},
	}
	flags := cmd.Flags()
	c.register(flags)
	flags.BoolVar(&asJSON, "json", false, "print the document that Terraform's show -json prints")
	flags.BoolVar(&markdown, "markdown", false, "print Markdown for a pull request")
	flags.BoolVar(&names, "names", false, "with --markdown: show people's addresses in full")
	flags.StringVar(&html, "html", "", "write one self-contained page to `FILE`")
	return cmd
}

func (a *App) showState(s *state.State, asJSON bool) error {
	if asJSON {
		return render.StateJSON(a.Stdout, s)
	}
	return render.State(a.Stdout, s, a.outOptions())
}

func (a *App) outputCommand() *cobra.Command {
	var c configFlags
	var asJSON, raw bool
	cmd := &cobra.Command{
		Use:   "output [NAME]",
		Short: "Show the root module's outputs as last applied",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			w, err := a.remember(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, w.close()) }()
			s, err := w.prior(cmd.Context(), &unit{})
			if err != nil {
				return err
			}
			outputs := s.Outputs
			if len(args) == 1 {
				o, ok := outputs[args[0]]
				if !ok {
					return fmt.Errorf("there is no output %q in state; outputs appear after an apply", args[0])
				}
				// An output that is asked for by name is shown, sensitive or not.
				o.Sensitive = false
				if raw {
					return render.RawOutput(a.Stdout, o)
				}
				outputs = map[string]state.Output{args[0]: o}
			}
			if asJSON {
				return render.OutputsJSON(a.Stdout, outputs)
			}
			return render.Outputs(a.Stdout, outputs, a.outOptions())
		},
	}
	flags := cmd.Flags()
	c.register(flags)
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	flags.BoolVar(&raw, "raw", false, "with NAME: print a string as it is")
	return cmd
}
