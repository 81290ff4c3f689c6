package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/weir-project/weir/providers"
	"github.com/weir-project/weir/providers/sim/world"
)

// scaleSite is examples/scale against a generated world, with the simulator and the program each as a process of its
// own: what one costs is not counted with the other.
type scaleSite struct {
	tb     testing.TB
	dir    string
	env    []string
	client *http.Client
	// control is the simulator's control address, generate the world that it serves.
	control, generate string
	sim               *exec.Cmd
}

// cost is what one process took.
type cost struct {
	cpu  time.Duration // user and system
	peak int64         // largest resident size, bytes; 0 where the system does not tell
	// sent is what the simulator wrote meanwhile, bytes on the wire and in files; 0 where the system does not tell.
	sent int64
	// requests by collection, see collection.
	requests map[string]int
}

func newScaleSite(tb testing.TB, users, groups int) *scaleSite {
	tb.Helper()
	s := &scaleSite{tb: tb, dir: tb.TempDir(), generate: fmt.Sprintf("users=%d,groups=%d,seed=%d,onboarded=true", users, groups, scaleSeed)}
	if err := copyExample(s.dir, "scale"); err != nil {
		tb.Fatal(err)
	}
	envFile := filepath.Join(tb.TempDir(), "env")
	ctx, cancel := context.WithCancel(context.Background())
	s.sim = exec.CommandContext(ctx, "weir-process", "simulate", "--env", envFile, "--generate", s.generate)
	s.sim.Cancel = func() error { return s.sim.Process.Signal(os.Interrupt) }
	s.sim.WaitDelay = 10 * time.Second
	serving, err := s.sim.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := s.sim.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		cancel()
		_ = s.sim.Wait() // it was interrupted
	})
	// It writes the file, then says that it serves.
	if _, err := bufio.NewReader(serving).ReadString('\n'); err != nil {
		tb.Fatal("the simulator does not serve: ", err)
	}
	go func() { _, _ = io.Copy(io.Discard, serving) }()
	s.env = []string{"NO_COLOR=1", "WEIR_HOME=" + tb.TempDir(), "PATH=" + os.Getenv("PATH"), "HOME=" + tb.TempDir()}
	text, err := os.ReadFile(envFile)
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if ok {
			s.env = append(s.env, name+"="+strings.Trim(value, "'"))
		}
	}
	s.control = s.variable("WEIR_SIM_CONTROL_URL")
	ca, err := os.ReadFile(s.variable("WEIR_SIM_CA_FILE"))
	if err != nil {
		tb.Fatal(err)
	}
	if s.client, err = (providers.Endpoints{CA: ca}).PlainClient(); err != nil {
		tb.Fatal(err)
	}
	return s
}

func (s *scaleSite) variable(name string) string {
	for _, kv := range s.env {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	s.tb.Fatalf("the simulator sets no %s", name)
	return ""
}

// ask sends a request to the simulator's control address and returns the answer.
func (s *scaleSite) ask(method, path string, body []byte) []byte {
	s.tb.Helper()
	request, err := http.NewRequest(method, s.control+path, bytes.NewReader(body))
	if err != nil {
		s.tb.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := s.client.Do(request)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		s.tb.Fatalf("%s %s: %s %v\n%s", method, path, answer.Status, err, tail(string(text)))
	}
	return text
}

// run runs a command, which must end with the exit code want, and returns what it printed and what it took.
func (s *scaleSite) run(want int, name string, args ...string) (string, cost) {
	s.tb.Helper()
	s.ask(http.MethodDelete, "/journal", nil)
	before := s.sent()
	cmd := exec.Command(name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.dir, s.env, &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() != want {
		s.tb.Fatalf("%s %s: %v, want exit code %d\n%s\n%s", name, strings.Join(args, " "), err, want, tail(stdout.String()), tail(stderr.String()))
	}
	c := cost{cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), sent: s.sent() - before, requests: map[string]int{}}
	c.peak = peak(cmd.ProcessState)
	for line := range bytes.Lines(s.ask(http.MethodGet, "/journal", nil)) {
		var e struct{ Vendor, Method, Path string }
		if err := json.Unmarshal(line, &e); err != nil {
			s.tb.Fatal(err)
		}
		c.requests[collection(e.Vendor, e.Method, e.Path)]++
	}
	return stdout.String(), c
}

func (s *scaleSite) weir(want int, args ...string) (string, cost) {
	s.tb.Helper()
	return s.run(want, "weir-process", args...)
}

// sent is what the simulator wrote so far.
func (s *scaleSite) sent() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", s.sim.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "wchar: "); ok {
			sent, _ := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			return sent
		}
	}
	return 0
}

// collection names the collection that a request reads or writes. Everything that concerns one object by its own is
// "one by one", but for the organization with its settings and domains, of which there are a handful.
func collection(vendor, method, path string) string {
	switch {
	case vendor == "graph" && path == "/v1.0/groups/delta":
		return "groups"
	case vendor == "graph" && (path == "/v1.0/users" || path == "/v1.0/users/$count" || path == "/v1.0/users/delta"):
		return "users"
	case vendor == "graph" && (strings.HasPrefix(path, "/v1.0/users/") || strings.HasPrefix(path, "/v1.0/groups/") && path != "/v1.0/groups/$count" ||
		strings.HasPrefix(path, "/v1.0/directory")):
		return "one by one"
	case vendor == "exchange":
		return "exchange"
	case vendor == "essentials" && strings.HasSuffix(path, "/users"):
		return method + " users"
	case vendor == "essentials" && strings.Contains(path, "/users/"):
		return method + " one by one"
	}
	return "other"
}

// changePeople gives n people of the directory another surname, as their administrator would.
func (s *scaleSite) changePeople(n int) {
	s.tb.Helper()
	// In a process of its own: what this one takes at its peak, each process that it starts is said to have taken too.
	names, err := exec.Command("scale-people", s.generate, strconv.Itoa(n)).Output()
	if err != nil {
		s.tb.Fatal(err)
	}
	for some := range slices.Chunk(strings.Fields(string(names)), 200) {
		var edits []any
		for _, name := range some {
			edits = append(edits, map[string]any{"tenant": "customer-1.example", "person": name, "set": map[string]string{"surname": "Changed"}})
		}
		body, err := json.Marshal(map[string]any{"edits": edits})
		if err != nil {
			s.tb.Fatal(err)
		}
		s.ask(http.MethodPost, "/portal", body)
	}
}

// scalePeople prints the user principal names of the first people of a generated world whom the policy of
// examples/scale makes users.
func scalePeople() {
	spec, err := world.ParseSpec(os.Args[1])
	if err != nil {
		panic(err)
	}
	w, err := world.Generate(spec)
	if err != nil {
		panic(err)
	}
	n, _ := strconv.Atoi(os.Args[2]) // not a number is nobody
	for _, p := range w.Tenant("customer-1.example").People {
		if n > 0 && p.MailboxKind == "UserMailbox" && p.Enabled && p.Licensed && p.Department != "Kitchen" && p.UserType != "Guest" && len(p.ProxyAddresses) > 0 {
			fmt.Println(p.UserPrincipalName)
			n--
		}
	}
}

// scaleStory is everything that examples/scale promises, at one size.
type scaleStory struct {
	users, groups int
	// plan and bare were run in turn, each as often: the plan of a first run, and a download of the same lists with
	// encoding/json.
	plan, bare []cost
	// address is the plan with a predicate over an attribute that no two people share.
	address cost
	// adopt is the first apply, changed the plan of 1,000 changes, apply their apply, nothing the plan after it.
	adopt, changed, apply, nothing cost
}

// scaleChanges is how many people change, scaleSeed the seed of the world that examples/scale is made for.
const scaleChanges, scaleSeed = 1000, 7

// tellScale runs the whole story; rounds is how often the plan and the bare download take turns. With no changes it ends
// before the first apply.
func tellScale(tb testing.TB, users, groups, changes, rounds int) *scaleStory {
	s := newScaleSite(tb, users, groups)
	story := &scaleStory{users: users, groups: groups}
	for range rounds {
		// What an earlier round kept of the directory is of no use to the next.
		out, plan := s.weir(2, "plan", "--detailed-exitcode", "--full-read")
		if want := fmt.Sprintf("Read completely: %d users, %d groups", users, groups); !strings.Contains(out, want) {
			tb.Fatalf("the plan does not say %q\n%s", want, tail(out))
		}
		_, bare := s.run(0, "scale-bare", world.Spec{Seed: scaleSeed}.EntraTenantID(1))
		story.plan, story.bare = append(story.plan, plan), append(story.bare, bare)
	}
	const predicate = `entry.department != "Kitchen"`
	file := filepath.Join(s.dir, "main.weir.hcl")
	text, err := os.ReadFile(file)
	if err != nil || strings.Count(string(text), predicate) != 1 {
		tb.Fatalf("%s has no predicate %s: %v", file, predicate, err)
	}
	rewrite := func(to string) {
		if err := os.WriteFile(file, bytes.Replace(text, []byte(predicate), []byte(to), 1), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	rewrite(`!startswith(entry.address, "kitchen")`)
	_, story.address = s.weir(2, "plan", "--detailed-exitcode", "--full-read")
	rewrite(predicate)
	if changes == 0 {
		return story
	}
	_, story.adopt = s.weir(0, "apply", "--auto-approve")
	s.empty()
	s.changePeople(changes)
	var out string
	out, story.changed = s.weir(2, "plan", "--detailed-exitcode")
	if want := fmt.Sprintf("accounts: %d to update", changes); !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
		tb.Fatalf("the plan does not say %q\n%s", want, tail(out))
	}
	_, story.apply = s.weir(0, "apply", "--auto-approve")
	story.nothing = s.empty()
	return story
}

func (s *scaleSite) empty() cost {
	s.tb.Helper()
	out, c := s.weir(0, "plan", "--detailed-exitcode")
	if !strings.Contains(out, "No changes") {
		s.tb.Fatalf("the plan is not empty\n%s", tail(out))
	}
	return c
}

// TestScale is the benchmark's story at a small size: what is asked of the vendors follows from the numbers of people,
// groups and changes, and nobody is asked for one by one.
func TestScale(t *testing.T) {
	const users, groups, changes = 2000, 50, 100
	story := tellScale(t, users, groups, changes, 1)
	plan, bare := story.plan[0], story.bare[0]
	t.Log("\n" + story.table())
	if got, most := plan.requests["users"], (users+998)/999+2; got > most {
		t.Errorf("%d requests for %d users, at most %d", got, users, most)
	}
	if got, most := plan.requests["groups"], groups/200+1+groups*41/500; got > most {
		t.Errorf("%d requests for %d groups, at most %d", got, groups, most)
	}
	if plan.requests["one by one"] != 0 || plan.requests["GET one by one"] != 0 || plan.requests["GET users"] != 1 {
		t.Errorf("the plan asked %v", plan.requests)
	}
	for _, name := range []string{"users", "groups", "exchange", "GET users"} {
		// The bare reader asks for no changes.
		if more := plan.requests[name] - bare.requests[name]; more < 0 || more > 2 {
			t.Errorf("%s: weir asked %d times, the bare reader %d times", name, plan.requests[name], bare.requests[name])
		}
	}
	for name, c := range map[string]cost{"plan": story.changed, "apply": story.apply, "last plan": story.nothing} {
		if c.requests["one by one"] != 0 || c.requests["GET one by one"] != 0 {
			t.Errorf("the %s asked %v", name, c.requests)
		}
	}
	for _, name := range []string{"users", "groups", "GET users"} {
		if n := story.nothing.requests[name]; n > 1 {
			t.Errorf("a plan of nothing asked %d times for %s", n, name)
		}
	}
	if n := story.nothing.requests["exchange"]; n > 2 { // mailboxes and dynamic groups
		t.Errorf("a plan of nothing asked Exchange %d times", n)
	}
	if n := story.apply.requests["PUT one by one"]; n != changes {
		t.Errorf("%d changes took %d writes", changes, n)
	}
}

// BenchmarkScale tells the story of examples/scale at three sizes and prints it as tables:
//
//	go test ./cmd/weir -run '^$' -bench 'Scale$' -benchtime 1x -timeout 2h
//
// CPU time is of the whole process, user and system; the ratio is to the median of a process that downloads the same
// lists from the same simulator and decodes them with encoding/json, run in turn with the plan. WEIR_SCALE=20000,1 is one
// size and a number of rounds.
func BenchmarkScale(b *testing.B) { benchmarkScale(b, scaleChanges) }

// BenchmarkScaleFirstPlan is the story up to the first apply.
func BenchmarkScaleFirstPlan(b *testing.B) { benchmarkScale(b, 0) }

func benchmarkScale(b *testing.B, changes int) {
	sizes, rounds := []int{50_000, 100_000, 200_000}, 3
	if own := os.Getenv("WEIR_SCALE"); own != "" {
		if _, err := fmt.Sscanf(own, "%d,%d", &sizes[0], &rounds); err != nil {
			b.Fatal("WEIR_SCALE: ", err)
		}
		sizes = sizes[:1]
	}
	for _, users := range sizes {
		b.Run(strconv.Itoa(users), func(b *testing.B) {
			for b.Loop() {
				story := tellScale(b, users, users/40, changes, rounds)
				fmt.Println("\n" + story.table())
				plan, bare := median(story.plan), median(story.bare)
				b.ReportMetric(plan.cpu.Seconds()/bare.cpu.Seconds(), "×bare")
				b.ReportMetric(float64(plan.peak)/1e6, "peak-MB")
				b.ReportMetric(float64(plan.cpu.Microseconds())/float64(users), "CPU-µs/user")
			}
		})
	}
}

// table is the story for people.
func (s *scaleStory) table() string {
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintf(out, "%d users, %d groups\tCPU s\t×bare\tpeak MB\tsent MB\tusers\tgroups\texchange\taccounts\tone by one\tother\twrites\t\n", s.users, s.groups)
	bare := median(s.bare).cpu
	row := func(step string, c cost) {
		writes := 0
		for name, n := range c.requests {
			if method, _, _ := strings.Cut(name, " "); method == http.MethodPut || method == http.MethodPost || method == http.MethodDelete {
				writes += n
			}
		}
		_, _ = fmt.Fprintf(out, "%s\t%.2f\t%.2f\t%.0f\t%.0f\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", step, c.cpu.Seconds(), c.cpu.Seconds()/bare.Seconds(),
			float64(c.peak)/1e6, float64(c.sent)/1e6, c.requests["users"], c.requests["groups"], c.requests["exchange"], c.requests["GET users"],
			c.requests["one by one"]+c.requests["GET one by one"], c.requests["other"], writes)
	}
	for i := range s.plan {
		row("first plan", s.plan[i])
		row("bare download", s.bare[i])
	}
	row("first plan, predicate over address", s.address)
	if s.adopt.requests == nil {
		_ = out.Flush() // into memory
		return text.String()
	}
	row("first apply", s.adopt)
	row("plan of 1,000 changes", s.changed)
	row("apply of 1,000 changes", s.apply)
	row("plan of nothing", s.nothing)
	_ = out.Flush() // into memory
	return text.String()
}

// median is by CPU time.
func median(all []cost) cost {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b cost) int { return int(a.cpu - b.cpu) })
	return sorted[len(sorted)/2]
}

// scaleBare is the yardstick: a process that downloads the lists of a first plan and decodes them with encoding/json
// into structs of the members that matter, a page at a time, and keeps nothing.
func scaleBare() {
	if err := bareDownload(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func bareDownload(tenant string) error {
	ca, err := os.ReadFile(os.Getenv("WEIR_SIM_CA_FILE"))
	if err != nil {
		return err
	}
	client, err := providers.Endpoints{CA: ca}.PlainClient()
	if err != nil {
		return err
	}
	fetch := func(method, address, body string, header map[string]string, into any) error {
		request, err := http.NewRequest(method, address, strings.NewReader(body))
		if err != nil {
			return err
		}
		for name, value := range header {
			request.Header.Set(name, value)
		}
		answer, err := client.Do(request)
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		if answer.StatusCode != http.StatusOK {
			text, _ := io.ReadAll(io.LimitReader(answer.Body, 1000)) // what arrived is enough for a message
			return fmt.Errorf("%s %s: %s\n%s", method, address, answer.Status, text)
		}
		return json.NewDecoder(answer.Body).Decode(into)
	}
	token := func(scope string) (string, error) {
		var t struct {
			Token string `json:"access_token"`
		}
		form := fmt.Sprintf("grant_type=client_credentials&client_id=%s&client_secret=%s&scope=%s", os.Getenv("AZURE_CLIENT_ID"), os.Getenv("AZURE_CLIENT_SECRET"), scope)
		err := fetch(http.MethodPost, os.Getenv("WEIR_SIM_LOGIN_URL")+"/"+tenant+"/oauth2/v2.0/token", form, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, &t)
		return "Bearer " + t.Token, err
	}
	bearer, err := token("https://graph.microsoft.com/.default")
	if err != nil {
		return err
	}
	graph := os.Getenv("WEIR_SIM_GRAPH_URL") + "/v1.0"
	header := map[string]string{"Authorization": bearer, "ConsistencyLevel": "eventual"}
	for at := graph + "/users?$select=id,displayName,givenName,surname,mail,userPrincipalName,mobilePhone,jobTitle,officeLocation,department," +
		"companyName,employeeId,usageLocation,accountEnabled,userType,proxyAddresses,assignedLicenses,onPremisesSyncEnabled,createdDateTime&$count=true&$top=999"; at != ""; {
		var page struct {
			Next  string     `json:"@odata.nextLink"`
			Value []bareUser `json:"value"`
		}
		if err := fetch(http.MethodGet, at, "", header, &page); err != nil {
			return err
		}
		at = page.Next
	}
	for _, at := range []string{
		graph + "/groups/delta?$select=id,displayName,mailEnabled,securityEnabled,groupTypes,proxyAddresses,onPremisesSyncEnabled,createdDateTime,members",
		graph + "/groups?$select=id,displayName,mailEnabled,securityEnabled,groupTypes,proxyAddresses,onPremisesSyncEnabled,createdDateTime&$count=true&$top=999",
	} {
		for at != "" {
			var page struct {
				Next  string      `json:"@odata.nextLink"`
				Value []bareGroup `json:"value"`
			}
			if err := fetch(http.MethodGet, at, "", header, &page); err != nil {
				return err
			}
			at = page.Next
		}
	}
	if bearer, err = token("https://outlook.office365.com/.default"); err != nil {
		return err
	}
	for _, parameters := range []string{
		`{"ResultSize":"Unlimited"}`,
		`{"ResultSize":"Unlimited","RecipientTypeDetails":["SharedMailbox","TeamMailbox","SchedulingMailbox","RoomMailbox","LinkedRoomMailbox","EquipmentMailbox"]}`,
	} {
		header := map[string]string{"Authorization": bearer, "Content-Type": "application/json", "Prefer": "odata.maxpagesize=1000", "X-CmdletName": "Get-Mailbox",
			"X-AnchorMailbox": "APP:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@" + tenant}
		body := `{"CmdletInput":{"CmdletName":"Get-Mailbox","Parameters":` + parameters + `}}`
		for at := os.Getenv("WEIR_SIM_EXCHANGE_URL") + "/adminapi/beta/" + tenant + "/InvokeCommand?$select=Guid,ExternalDirectoryObjectId,RecipientTypeDetails"; at != ""; {
			var page struct {
				Next  string        `json:"@odata.nextLink"`
				Value []bareMailbox `json:"value"`
			}
			if err := fetch(http.MethodPost, at, body, header, &page); err != nil {
				return err
			}
			at = page.Next
		}
	}
	var accounts struct {
		Users []bareAccount `json:"users"`
	}
	return fetch(http.MethodGet, os.Getenv("WEIR_SIM_ESSENTIALS_URL")+"/us1/api/v1/orgs/customer-1.example/users", "",
		map[string]string{"X-User": os.Getenv("ESSENTIALS_USER"), "X-Password": os.Getenv("ESSENTIALS_PASSWORD")}, &accounts)
}

type bareUser struct {
	ID                    string     `json:"id"`
	DisplayName           string     `json:"displayName"`
	GivenName             string     `json:"givenName"`
	Surname               string     `json:"surname"`
	UserPrincipalName     string     `json:"userPrincipalName"`
	MobilePhone           string     `json:"mobilePhone"`
	JobTitle              string     `json:"jobTitle"`
	OfficeLocation        string     `json:"officeLocation"`
	Department            string     `json:"department"`
	CompanyName           string     `json:"companyName"`
	EmployeeID            string     `json:"employeeId"`
	UsageLocation         string     `json:"usageLocation"`
	AccountEnabled        bool       `json:"accountEnabled"`
	UserType              string     `json:"userType"`
	ProxyAddresses        []string   `json:"proxyAddresses"`
	AssignedLicenses      []struct{} `json:"assignedLicenses"`
	OnPremisesSyncEnabled bool       `json:"onPremisesSyncEnabled"`
	CreatedDateTime       string     `json:"createdDateTime"`
}

type bareGroup struct {
	ID              string   `json:"id"`
	DisplayName     string   `json:"displayName"`
	MailEnabled     bool     `json:"mailEnabled"`
	SecurityEnabled bool     `json:"securityEnabled"`
	GroupTypes      []string `json:"groupTypes"`
	ProxyAddresses  []string `json:"proxyAddresses"`
	CreatedDateTime string   `json:"createdDateTime"`
	Members         []struct {
		ID string `json:"id"`
	} `json:"members@delta"`
}

type bareMailbox struct {
	GUID     string `json:"Guid"`
	ObjectID string `json:"ExternalDirectoryObjectId"`
	Details  string `json:"RecipientTypeDetails"`
}

type bareAccount struct {
	UID       int      `json:"uid"`
	Address   string   `json:"primary_email"`
	Active    bool     `json:"is_active"`
	Type      string   `json:"type"`
	FirstName string   `json:"firstname"`
	Surname   string   `json:"surname"`
	Aliases   []string `json:"alias_emails"`
	Billable  bool     `json:"is_billable"`
}
