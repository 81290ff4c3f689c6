package main

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
	"github.com/weir-project/weir/state/store/storetest"
)

// line is the way to state storage, which can be cut.
type line struct {
	cut  func()
	mend func()
}

// folderLine cuts the way to a folder: the witness in the process refuses while a file is there.
func folderLine(t *testing.T, s *site) line {
	flag := filepath.Join(t.TempDir(), "out")
	s.env[storageOut] = flag
	return line{
		cut:  func() { s.t.Helper(); check(t, os.WriteFile(flag, nil, 0o600)) },
		mend: func() { s.t.Helper(); check(t, os.Remove(flag)) },
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// azureLine puts a proxy before the emulator. Cut, it breaks every connection and takes no other.
func azureLine(t *testing.T, s *site, connection string) line {
	endpoint := regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)
	p := &proxy{to: endpoint.FindString(connection)}
	p.listen(t, "127.0.0.1:0")
	t.Cleanup(p.close)
	s.env["AZURE_STORAGE_CONNECTION_STRING"] = endpoint.ReplaceAllString(connection, p.at)
	return line{cut: p.close, mend: func() { p.listen(t, p.at) }}
}

// proxy carries connections to another address.
type proxy struct {
	to, at string

	mu       sync.Mutex
	listener net.Listener
	open     []net.Conn
}

func (p *proxy) listen(t *testing.T, at string) {
	t.Helper()
	l, err := net.Listen("tcp", at)
	check(t, err)
	p.mu.Lock()
	p.listener, p.at = l, l.Addr().String()
	p.mu.Unlock()
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return // closed
			}
			out, err := net.Dial("tcp", p.to)
			if err != nil {
				_ = in.Close()
				continue
			}
			p.mu.Lock()
			p.open = append(p.open, in, out)
			if p.listener != l { // cut in the meantime
				_, _ = in.Close(), out.Close()
			}
			p.mu.Unlock()
			go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
		}
	}()
}

func (p *proxy) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
	}
	for _, c := range p.open {
		_ = c.Close()
	}
	p.listener, p.open = nil, nil
}

// TestStorageAway: state storage cannot be reached for a while, in the middle of an apply. A twelfth of the time after
// which a silent run counts as dead goes unnoticed; half of it is told and survived; five times it ends the run with its
// own exit code, and the next run goes on from there. With WEIR_LONG these are the real 10 s, 60 s and 10 min.
func TestStorageAway(t *testing.T) {
	t.Parallel()
	storageAway(t, files(), folderLine)
}

// TestStorageAwayOnAzure: the same with the emulator of Azure's storage, and a network that is cut.
func TestStorageAwayOnAzure(t *testing.T) {
	connection := storetest.Azurite(t, "weir-state")
	storageAway(t, azureAt(t, connection), func(t *testing.T, s *site) line { return azureLine(t, s, connection) })
}

// storageAway cuts each of three runs off its storage, on the way that wayOf finds.
func storageAway(t *testing.T, in storage, wayOf func(*testing.T, *site) line) {
	ttl := 40 * time.Second // the run gives up an eighth of it after storage is back: not so little that a busy machine eats it
	if !short() {
		ttl = 2 * time.Minute
	}
	const silent, back = "State storage does not answer", "State storage answers again"
	cases := []struct {
		name  string
		away  time.Duration
		code  int
		says  []string
		never []string
	}{
		{"unnoticed", ttl / 12, 0, nil, []string{silent, back}},
		{"survived", ttl / 2, 0, []string{silent, "waiting until", back}, nil},
		{"stopped", 5 * ttl, 8, []string{silent, "state storage could not be reached"}, nil},
	}
	want, _ := undisturbed(t, in, histories[0])
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := &holder{held: make(chan struct{}), letgo: make(chan struct{})}
			s := newSite(t, "quickstart", nil)
			s.serveWith(sim.Options{World: world.Quickstart(), Sleep: h.sleep})
			in.keep(t, s)
			s.env["WEIR_STATE_TTL"] = ttl.String()
			way := wayOf(t, s)
			// One call is held at its vendor, so that the middle of the run is known.
			changing := true
			check(t, s.server.Fault(sim.Rule{ID: "hold", Changing: &changing, After: 8, Times: 1, Action: sim.Action{Latency: sim.Duration(time.Hour)}}))
			run := s.start(nil, "apply", "--auto-approve")
			select {
			case <-h.held:
			case <-run.ended:
				t.Fatalf("the run ended by itself:\n%s", run.output.String())
			}
			way.cut()
			close(h.letgo)
			begun := time.Now()
			time.Sleep(min(c.away, ttl))
			calls := len(s.server.Changing())
			if c.code != 0 {
				// Long before it is over the run has stopped, and begun nothing for want of state.
				select {
				case <-run.ended:
				case <-time.After(c.away - time.Since(begun)):
					t.Errorf("it still runs after %s", c.away)
				}
			}
			way.mend()
			code := run.wait()
			output := run.output.String()
			if code != c.code {
				t.Fatalf("exit code %d, want %d\n%s", code, c.code, output)
			}
			for _, text := range c.says {
				if !strings.Contains(output, text) {
					t.Errorf("it does not say %q:\n%s", text, output)
				}
			}
			for _, text := range c.never {
				if strings.Contains(output, text) {
					t.Errorf("it says %q:\n%s", text, output)
				}
			}
			if more := len(s.server.Changing()) - calls; c.code != 0 && more > 0 {
				t.Errorf("it made %d changing calls after it had to stop", more)
			}
			s.repaired(in, want, 0)
		})
	}
}

// holder holds the one call that a latency fault meets until it is let go.
type holder struct{ held, letgo chan struct{} }

func (h *holder) sleep(context.Context, time.Duration) {
	close(h.held)
	<-h.letgo
}
