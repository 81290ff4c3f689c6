package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/weir-project/weir/providers"
	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
	"github.com/weir-project/weir/state"
)

// simulationFlags choose the simulator that --simulate starts.
type simulationFlags struct {
	simulate bool
	world    string
}

func (f *simulationFlags) register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.simulate, "simulate", false, "run against a simulator in this process; world and state are kept under .weir/simulate/")
	flags.StringVar(&f.world, "world", "quickstart", "the `WORLD` a first --simulate begins with: quickstart, msp, generate:SPEC, or a world file")
}

// surroundings is where a run takes place: at the live vendors, or in a simulated world.
type surroundings struct {
	// realm is state.Live, or the world's id.
	realm     string
	endpoints providers.Endpoints
	// env is the environment with the world's credentials over it.
	env func(string) (string, bool)
	now func() time.Time
	// stateURL replaces the configured state; "" keeps it.
	stateURL string
	server   *sim.Server
	save     func() error
}

// close stops an in-process simulator and keeps its world.
func (s *surroundings) close() error {
	if s.server == nil {
		return nil
	}
	return errors.Join(s.save(), s.server.Close())
}

// simulatorVariables are set all together, or not at all.
var simulatorVariables = []string{
	"WEIR_SIM_LOGIN_URL", "WEIR_SIM_GRAPH_URL", "WEIR_SIM_EXCHANGE_URL", "WEIR_SIM_ESSENTIALS_URL", "WEIR_SIM_CONTROL_URL",
	"WEIR_SIM_DNS", "WEIR_SIM_CA_FILE",
}

// surroundings finds out where the run takes place. A simulated one says so in the first line of its progress.
func (a *App) surroundings(ctx context.Context, f simulationFlags) (*surroundings, error) {
	var set, missing []string
	values := map[string]string{}
	for _, name := range simulatorVariables {
		if v, ok := a.Env(name); ok && v != "" {
			set = append(set, name)
			values[name] = v
		} else {
			missing = append(missing, name)
		}
	}
	switch {
	case f.simulate:
		return a.inProcess(f)
	case len(set) == 0:
		return &surroundings{realm: state.Live, env: a.Env, now: func() time.Time { return a.Now().UTC() }}, nil
	case len(missing) > 0:
		return nil, fmt.Errorf("%s is set and %s is not: set all of the WEIR_SIM_ variables to run against a simulator, or none", set[0], strings.Join(missing, ", "))
	}
	return a.external(ctx, values)
}

// external uses a simulator that another process serves.
func (a *App) external(ctx context.Context, v map[string]string) (*surroundings, error) {
	ca, err := os.ReadFile(v["WEIR_SIM_CA_FILE"])
	if err != nil {
		return nil, fmt.Errorf("WEIR_SIM_CA_FILE: %w", err)
	}
	s := &surroundings{
		env: a.Env,
		endpoints: providers.Endpoints{
			Login: v["WEIR_SIM_LOGIN_URL"], Graph: v["WEIR_SIM_GRAPH_URL"], Exchange: v["WEIR_SIM_EXCHANGE_URL"],
			Essentials: v["WEIR_SIM_ESSENTIALS_URL"], DNS: v["WEIR_SIM_DNS"], CA: ca,
		},
	}
	client, err := s.endpoints.PlainClient()
	if err != nil {
		return nil, err
	}
	var health struct {
		World string `json:"world"`
	}
	var clock struct {
		Now time.Time `json:"clock"`
	}
	control := v["WEIR_SIM_CONTROL_URL"]
	if err := errors.Join(getJSON(ctx, client, control+"/healthz", &health), getJSON(ctx, client, control+"/clock", &clock)); err != nil {
		return nil, fmt.Errorf("WEIR_SIM_CONTROL_URL: %w", err)
	}
	if clock.Now.IsZero() || health.World == "" {
		return nil, fmt.Errorf("WEIR_SIM_CONTROL_URL: %s is not a simulator's control address", control)
	}
	s.realm, s.now = health.World, func() time.Time { return clock.Now }
	a.say("Simulated: the vendors are world %q at %s; nothing real is read or changed.", s.realm, v["WEIR_SIM_GRAPH_URL"])
	return s, nil
}

// inProcess starts a simulator on the world kept under .weir/simulate/.
func (a *App) inProcess(f simulationFlags) (*surroundings, error) {
	dir := filepath.Join(a.dir(), ".weir", "simulate")
	if err := privateDir(dir); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "world.json")
	w, err := loadWorld(file)
	if errors.Is(err, fs.ErrNotExist) {
		w, err = a.newWorld(f.world)
	}
	if err != nil {
		return nil, err
	}
	server, err := sim.Start(sim.Options{World: w})
	if err != nil {
		return nil, err
	}
	s := &surroundings{
		server: server, realm: w.ID, stateURL: "file://" + filepath.ToSlash(filepath.Join(dir, "state")),
		endpoints: simulatorEndpoints(server),
		save:      func() error { return saveWorld(w, file) },
		now: func() time.Time {
			w.RLock()
			defer w.RUnlock()
			return w.Clock
		},
	}
	world := map[string]string{}
	for _, kv := range server.Env() {
		name, value, _ := strings.Cut(kv, "=")
		world[name] = value
	}
	s.env = func(name string) (string, bool) {
		if v, ok := world[name]; ok {
			return v, true
		}
		return a.Env(name)
	}
	a.say("Simulated: the vendors are world %q in this process; nothing real is read or changed.", w.ID)
	return s, nil
}

func getJSON(ctx context.Context, client *http.Client, address string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("the simulator does not answer: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", address, answer.Status)
	}
	return json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(into)
}

func simulatorEndpoints(server *sim.Server) providers.Endpoints {
	u := server.URLs()
	return providers.Endpoints{Login: u.Login, Graph: u.Graph, Exchange: u.Exchange, Essentials: u.Essentials, DNS: server.DNS(), CA: server.CA()}
}

// newWorld is a built-in world by name, a generated one, or one from a file.
func (a *App) newWorld(name string) (*world.World, error) {
	switch name {
	case "quickstart":
		return world.Quickstart(), nil
	case "msp":
		return world.MSP(), nil
	}
	if spec, ok := strings.CutPrefix(name, "generate:"); ok {
		return a.simulatedWorld("", spec)
	}
	w, err := loadWorld(a.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no world %q: the built-in ones are quickstart and msp, generate:SPEC makes one, anything else is a file", name)
	}
	return w, err
}

func loadWorld(file string) (*world.World, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	w, err := world.Load(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return w, nil
}

func saveWorld(w *world.World, file string) error {
	w.RLock()
	defer w.RUnlock()
	return w.SaveFile(file)
}

func (a *App) say(format string, args ...any) {
	if a.global.logFormat == "json" {
		line, _ := json.Marshal(map[string]string{"@level": "info", "@message": fmt.Sprintf(format, args...), "type": "log"})
		_, _ = fmt.Fprintf(a.Stderr, "%s\n", line)
		return
	}
	_, _ = fmt.Fprintf(a.Stderr, format+"\n", args...)
}
