package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-project/weir/providers"
	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

func (a *App) simulateCommand() *cobra.Command {
	var listen, envFile, worldName, generate, faults, save string
	cmd := &cobra.Command{
		Use:   "simulate [flags] [-- COMMAND [ARG…]]",
		Short: "Serve simulated vendors, for trying things out",
		Long: `Serve login, Microsoft Graph, Exchange Online, Essentials and DNS over one simulated world, on loopback with real TLS.

With a command behind "--", run it inside the world and stop when it ends. Otherwise serve until interrupted; another
terminal reads the file of --env and works in the same world.`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			w, err := a.simulatedWorld(worldName, generate)
			if err != nil {
				return err
			}
			server, err := sim.Start(sim.Options{World: w, Listen: listen})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, server.Close()) }()
			if faults != "" {
				if err := a.loadFaults(server, faults); err != nil {
					return err
				}
			}
			if envFile != "" {
				if err := server.WriteEnv(a.path(envFile)); err != nil {
					return err
				}
			}
			if len(args) > 0 {
				err = a.runInside(cmd.Context(), server, args)
			} else {
				a.serve(cmd.Context(), server, w, envFile)
			}
			if save != "" {
				err = errors.Join(err, saveWorld(w, a.path(save)))
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", "127.0.0.1:0", "serve the vendors' own host names on `ADDR`")
	flags.StringVar(&envFile, "env", "", "write shell export lines to `FILE`")
	flags.StringVar(&worldName, "world", "quickstart", "serve `WORLD`: quickstart, msp, or a world file")
	flags.StringVar(&generate, "generate", "", "serve a generated world: `tenants=1,users=200000,groups=5000,seed=7`")
	flags.StringVar(&faults, "faults", "", "put the fault rules of a JSON `FILE` in force")
	flags.StringVar(&save, "save", "", "write the world to `FILE` at the end")
	cmd.AddCommand(a.portalCommand())
	return cmd
}

func (a *App) simulatedWorld(name, generate string) (*world.World, error) {
	if generate == "" {
		return a.newWorld(name)
	}
	spec, err := world.ParseSpec(generate)
	if err != nil {
		return nil, err
	}
	return world.Generate(spec)
}

func (a *App) loadFaults(server *sim.Server, file string) error {
	data, err := os.ReadFile(a.path(file))
	if err != nil {
		return err
	}
	var rules []sim.Rule
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&rules); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return server.Fault(rules...)
}

func (a *App) serve(ctx context.Context, server *sim.Server, w *world.World, envFile string) {
	u := server.URLs()
	_, _ = fmt.Fprintf(a.Stdout, "Serving world %q. Nothing here is real.\n\n  login       %s\n  graph       %s\n  exchange    %s\n  essentials  %s\n  control     %s\n  dns         %s\n  host names  %s\n",
		w.ID, u.Login, u.Graph, u.Exchange, u.Essentials, u.Control, server.DNS(), u.Named)
	if envFile != "" {
		_, _ = fmt.Fprintf(a.Stdout, "\nIn another terminal:\n\n    . %s\n    weir plan\n", envFile)
	}
	<-ctx.Done()
}

// runInside runs a command with the world's addresses and credentials in its environment.
func (a *App) runInside(ctx context.Context, server *sim.Server, args []string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = a.dir()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.Stdin, a.Stdout, a.Stderr
	cmd.Env = append(os.Environ(), server.Env()...)
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return codeError(exit.ExitCode())
	}
	return err
}

// portalCommand makes by hand the change that a person would make in a vendor's portal.
func (a *App) portalCommand() *cobra.Command {
	var f simulationFlags
	cmd := &cobra.Command{
		Use:   "portal EDIT…",
		Short: "Make by hand, in the simulated world, a change that a person would make in a portal",
		Long: `Each EDIT is a JSON object such as

    {"organization": "contoso.example", "domain": "contoso.example", "set": {"is_active": false}}

It is made in the running simulator that the WEIR_SIM_ variables name, else in the world kept under .weir/simulate/.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if control, ok := a.Env("WEIR_SIM_CONTROL_URL"); ok && !f.simulate {
				return a.portalRemote(cmd.Context(), control, args)
			}
			f.simulate = true
			around, err := a.surroundings(cmd.Context(), f)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, around.close()) }()
			for _, edit := range args {
				if err := around.server.Portal(edit); err != nil {
					return err
				}
			}
			a.say("Changed by hand, as a person would in the portal. weir drift tells.")
			return nil
		},
	}
	cmd.Flags().BoolVar(&f.simulate, "simulate", false, "the world kept under .weir/simulate/, whatever the environment says")
	cmd.Flags().StringVar(&f.world, "world", "quickstart", "the `WORLD` to begin with if there is none yet")
	return cmd
}

func (a *App) portalRemote(ctx context.Context, control string, edits []string) error {
	file, _ := a.Env("WEIR_SIM_CA_FILE")
	ca, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("WEIR_SIM_CA_FILE: %w", err)
	}
	client, err := providers.Endpoints{CA: ca}.PlainClient()
	if err != nil {
		return err
	}
	body := `{"edits":[` + strings.Join(edits, ",") + `]}`
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, control+"/portal", strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return err
	}
	if answer.StatusCode >= 300 {
		return fmt.Errorf("the simulator refused the edit: %s", strings.TrimSpace(string(text)))
	}
	a.say("Changed by hand, as a person would in the portal. weir drift tells.")
	return nil
}
