//go:build unix

package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-project/weir/state"
)

func TestFileReadingMakesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), ".weir")
	s := opened(t, "file://"+dir)
	tn := tenant(t, s, SystemClock())
	if st, err := tn.State(t.Context()); err != nil || st.Stored() {
		t.Fatalf("%v %+v", err, st)
	}
	if keys, err := NewBucket(s, Options{}).Tenants(t.Context()); err != nil || len(keys) != 0 {
		t.Fatalf("%v %q", err, keys)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading made the folder: %v", err)
	}
	release(t, acquire(t, tn, "the twin"))
	if _, err := os.Lstat(dir); err != nil {
		t.Error(err)
	}
}

func TestFileModes(t *testing.T) {
	for _, mask := range []int{0o000, 0o022, 0o077} {
		t.Run(fmt.Sprintf("umask %03o", mask), func(t *testing.T) {
			old := syscall.Umask(mask)
			defer syscall.Umask(old)
			fileModes(t, filepath.Join(t.TempDir(), "a", "b"))
		})
	}
}

func fileModes(t *testing.T, dir string) {
	t.Helper()
	s := opened(t, "file://"+dir)
	l := acquire(t, tenant(t, s, SystemClock()), "run-1")
	record(t, l, 1, 2)
	release(t, l)
	files := 0
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700 | fs.ModeDir
		} else {
			files++
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %s, want %s", name, info.Mode(), want)
		}
		if strings.HasPrefix(d.Name(), tempPrefix) {
			t.Errorf("%s was left behind", name)
		}
		return nil
	})
	if err != nil || files < 5 {
		t.Errorf("%v, %d files", err, files)
	}
}

func TestFileRefusesLinks(t *testing.T) {
	for _, row := range []struct {
		name  string
		plant func(t *testing.T, dir, outside string)
	}{
		{"nothing planted", func(*testing.T, string, string) {}},
		{"the folder itself", func(t *testing.T, dir, outside string) {
			must(t, os.Rename(dir, dir+"-real"))
			must(t, os.Symlink(dir+"-real", dir))
		}},
		{"a folder inside", func(t *testing.T, dir, outside string) {
			must(t, os.Rename(dir+"/t/contoso", dir+"/moved"))
			must(t, os.Symlink("../moved", dir+"/t/contoso"))
		}},
		{"the head", func(t *testing.T, dir, outside string) {
			must(t, os.Rename(dir+"/t/contoso/head", outside))
			must(t, os.Symlink(outside, dir+"/t/contoso/head"))
		}},
		{"the next slot", func(t *testing.T, dir, outside string) {
			must(t, os.Symlink(outside, dir+"/t/contoso/log/0000000002"))
		}},
		{"a lock", func(t *testing.T, dir, outside string) {
			must(t, os.Remove(dir+"/t/contoso/.lk"))
			must(t, os.Symlink(outside, dir+"/t/contoso/.lk"))
		}},
		{"a pipe", func(t *testing.T, dir, outside string) {
			must(t, syscall.Mkfifo(dir+"/t/contoso/log/0000000002", 0o600))
		}},
		{"others may write", func(t *testing.T, dir, outside string) {
			must(t, os.Chmod(dir, 0o777))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			outside := filepath.Join(t.TempDir(), "outside")
			release(t, acquire(t, tenant(t, opened(t, "file://"+dir), SystemClock()), "run-1"))
			row.plant(t, dir, outside)
			before, _ := os.ReadFile(outside)
			l, err := tenant(t, opened(t, "file://"+dir), SystemClock()).Acquire(t.Context(), Holder{Run: "run-2"}, options())
			if row.name == "nothing planted" {
				must(t, err)
				release(t, l)
				return
			}
			if !errors.Is(err, ErrDenied) {
				t.Errorf("got %v, want ErrDenied", err)
			}
			if after, _ := os.ReadFile(outside); string(after) != string(before) {
				t.Error("something was written through the link")
			}
		})
	}
}

func TestFileRefusesForeignOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := filepath.Join(t.TempDir(), "state")
	release(t, acquire(t, tenant(t, opened(t, "file://"+dir), SystemClock()), "run-1"))
	head := dir + "/t/contoso/head"
	must(t, os.Chown(head, 12345, -1))
	if _, err := tenant(t, opened(t, "file://"+dir), SystemClock()).State(t.Context()); !errors.Is(err, ErrDenied) {
		t.Errorf("got %v, want ErrDenied", err)
	}
	must(t, os.Chown(head, 0, -1))
	release(t, acquire(t, tenant(t, opened(t, "file://"+dir), SystemClock()), "the twin"))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOpen(t *testing.T) {
	t.Setenv("AZURE_STORAGE_ACCOUNT", "")
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/a")
	awsSettings(t, map[string]string{"AWS_REGION": "eu-central-1"})
	t.Setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:1")
	for _, row := range []struct {
		url  string
		want string // part of the error; empty for none
	}{
		{"file:///srv/weir", ""},
		{"file://localhost/srv/weir", ""},
		{"file:///srv/weir?prefix=msp/", ""},
		{"file://srv/weir", "three slashes"},
		{"file:weir", "three slashes"},
		{"azblob://weir-state", ""},
		{"azblob://weir-state/", ""},
		{"azblob://weir-state?prefix=msp", ""},
		{"azblob://weir-state?prefix=../x", "prefix"},
		{"azblob://weir-state?prefix=/x/", "prefix"},
		{"azblob://weir-state?prefix=a//b/", "prefix"},
		{"azblob://weir-state?prefix=a&prefix=b", "once"},
		{"azblob://weir-state?domain=evil.example", "domain"},
		{"azblob://weir-state?protocol=http&domain=127.0.0.1:10000", "comes from the environment"},
		{"azblob://weir-state?storage_account=other", "storage_account"},
		{"azblob://weir-state/msp", "?prefix="},
		{"azblob://Weir", "not the name of a container"},
		{"azblob://a--b", "not the name of a container"},
		{"azblob://user:pass@weir-state", "credentials come from the environment"},
		{"s3://weir-state", ""},
		{"s3://weir.state/?prefix=msp/", ""},
		{"s3://weir-state/msp", "?prefix="},
		{"s3://weir-state:443", "?prefix="},
		{"s3://weir-state?endpoint=https://evil.example", "comes from the environment"},
		{"s3://weir-state?region=eu-west-1", "region"},
		{"s3://weir-state?profile=other", "profile"},
		{"s3://user:pass@weir-state", "credentials come from the environment"},
		{"s3://Weir", "not the name of a bucket"},
		{"s3://evil.example%2Fx", "not a URL"},
		{"s3://arn%3Aaws", "not a URL"},
		{"s3://weir--use1-az4--x-s3", "general purpose bucket"},
		{"s3:weir-state", "?prefix="},
		{"gs://weir_state", ""},
		{"gs://weir-state?prefix=msp", ""},
		{"gs://weir-state/msp", "?prefix="},
		{"gs://weir-state?access_id=-", "access_id"},
		{"gs://weir-state?universe_domain=evil.example", "universe_domain"},
		{"gs://Weir", "not the name of a bucket"},
		{"mem://", "scheme"},
		{"http://example.com", "scheme"},
		{"", "scheme"},
		{"://", "not a URL"},
		{"azblob://weir-state?%zz", "parameters"},
		{"azblob://weir-state#x", "parameters"},
	} {
		s, err := Open(t.Context(), row.url)
		switch {
		case row.want == "" && err != nil:
			t.Errorf("%s: %v", row.url, err)
		case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: got %v, want an error about %q", row.url, err, row.want)
		case err == nil:
			must(t, NewBucket(s, Options{}).Close())
		}
		if err != nil && strings.Contains(err.Error(), "pass") && !strings.Contains(err.Error(), "password") {
			t.Errorf("%s: the error quotes the password: %v", row.url, err)
		}
	}
}

// TestKill kills competing processes at random and compares what they said was
// durable with what is. The child is this test binary.
func TestKill(t *testing.T) {
	if dir := os.Getenv("WEIR_TEST_KILL"); dir != "" {
		killChild(dir)
		return
	}
	length := 4 * time.Second
	if testing.Short() {
		length = 1500 * time.Millisecond
	}
	dir := filepath.Join(t.TempDir(), "state")
	acknowledged := make(map[string]bool)
	type said struct{ lines []string }
	results := make(chan said)
	stop := time.Now().Add(length)
	const children = 3
	for i := range children {
		go func() {
			var s said
			for n := 0; time.Now().Before(stop); n++ {
				cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
				cmd.Env = append(os.Environ(), "WEIR_TEST_KILL="+dir, fmt.Sprintf("WEIR_TEST_CHILD=%d-%d", i, n))
				out, err := cmd.StdoutPipe()
				if err != nil || cmd.Start() != nil {
					break
				}
				// The time runs from when the child is at work, and one of them is left to
				// write something first: a busy machine takes its time to begin.
				armed := "ready"
				if i == 0 {
					armed = "durable"
				}
				var kill *time.Timer
				for lines := bufio.NewScanner(out); lines.Scan(); {
					word, op, _ := strings.Cut(lines.Text(), " ")
					if word == "durable" {
						s.lines = append(s.lines, op)
					}
					if kill == nil && word == armed {
						kill = time.AfterFunc(time.Duration(70*((n*7+i*3)%8))*time.Millisecond, func() { _ = cmd.Process.Kill() })
					}
				}
				_ = cmd.Wait()
				if kill != nil {
					kill.Stop()
				}
			}
			results <- s
		}()
	}
	for range children {
		s := <-results
		for _, op := range s.lines {
			acknowledged[op] = true
		}
	}
	st, err := tenant(t, opened(t, "file://"+dir), SystemClock()).State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for op := range acknowledged {
		if st.Objects[op] == nil {
			t.Errorf("%s was said to be durable and is not there", op)
		}
	}
	if len(acknowledged) == 0 {
		t.Error("nothing was written at all")
	}
	t.Logf("%d outcomes acknowledged, %d in state", len(acknowledged), len(st.Objects))
	release(t, acquire(t, tenant(t, opened(t, "file://"+dir), SystemClock()), "the next"))
}

func killChild(dir string) {
	s, err := Open(context.Background(), "file://"+dir)
	if err != nil {
		os.Exit(1)
	}
	tn, err := NewBucket(s, Options{}).Tenant("contoso")
	if err != nil {
		os.Exit(1)
	}
	fmt.Println("ready")
	for n := 0; ; n++ {
		o := options()
		o.TTL, o.LockTimeout = time.Second, time.Minute
		l, err := tn.Acquire(context.Background(), Holder{Process: ThisProcess()}, o)
		if err != nil {
			fmt.Println("acquire:", err)
			os.Exit(1)
		}
		for i := range 5 {
			address := fmt.Sprintf("value.c%s-%d-%d", os.Getenv("WEIR_TEST_CHILD"), n, i)
			err := l.Record(context.Background(), []state.Outcome{{Op: address, Address: address, Result: state.Done,
				Object: &state.Object{Address: address}}})
			if err != nil {
				break
			}
			fmt.Println("durable", address)
		}
		_ = l.Release(context.Background())
	}
}

func TestProcess(t *testing.T) {
	here := ThisProcess()
	if !here.known() {
		t.Skip("this system does not name processes")
	}
	if processDead(here) {
		t.Error("this process is dead")
	}
	cmd := exec.Command("sleep", "100")
	must(t, cmd.Start())
	child := here
	child.PID = cmd.Process.Pid
	_, child.Start, _ = processStat(child.PID)
	if processDead(child) {
		t.Error("a living child is dead")
	}
	must(t, cmd.Process.Kill())
	for !processDead(child) { // a zombie until it is waited for
		time.Sleep(time.Millisecond)
	}
	_ = cmd.Wait()
	if !processDead(child) {
		t.Error("a dead child lives")
	}
	for what, change := range map[string]func(*Process){
		"another boot":      func(p *Process) { p.Boot = "x" },
		"another namespace": func(p *Process) { p.Namespace = "pid:[1]" },
		"no start time":     func(p *Process) { p.Start = "" },
		"nothing":           func(p *Process) { *p = Process{} },
	} {
		p := child
		change(&p)
		if processDead(p) {
			t.Errorf("%s: called dead, and it cannot be known", what)
		}
	}
	reused := here
	reused.Start = "1"
	if !processDead(reused) {
		t.Error("an id that now belongs to a later process still counts as alive")
	}
}

func TestHeldErrorSaysWho(t *testing.T) {
	e := &HeldError{Tenant: "contoso", Run: "run-1", Who: "alice", Host: "ci-7", Operation: "apply",
		Since: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), Until: time.Date(2026, 11, 20, 12, 2, 0, 0, time.UTC)}
	words := strings.Fields(e.Error())
	for _, want := range []string{"alice", "ci-7", "apply", "--lock-timeout"} {
		if !slices.Contains(words, want) {
			t.Errorf("%q does not say %s", e, want)
		}
	}
}

// TestFolderThatIsHeld: a process that was stopped in the middle of a write keeps the folder's lock. Others say so after
// a while, and go on once it is free.
func TestFolderThatIsHeld(t *testing.T) {
	c := newFakeClock()
	dir := filepath.Join(t.TempDir(), "state")
	s := &file{dir: dir, clock: c}
	if _, err := s.Put(t.Context(), "a", []byte("1"), ""); err != nil {
		t.Fatal(err)
	}
	root, err := s.open(true)
	if err != nil {
		t.Fatal(err)
	}
	free, err := s.lock(t.Context(), root, ".")
	if err != nil {
		t.Fatal(err)
	}
	stop := c.run(time.Second)
	_, err = s.Put(t.Context(), "b", []byte("1"), "")
	stop()
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("got %v, want ErrUnavailable with a reason", err)
	}
	free()
	if _, err := s.Put(t.Context(), "b", []byte("1"), ""); err != nil {
		t.Errorf("once it is free: %v", err)
	}
}

// TestSnapshotSitsAnOutageOut: the checkpoint at the end of a run is tried for as long as the run may write, and not
// longer.
func TestSnapshotSitsAnOutageOut(t *testing.T) {
	for _, away := range []time.Duration{30 * time.Second, 10 * time.Minute} {
		t.Run(away.String(), func(t *testing.T) {
			c := newFakeClock()
			f := &faulty{Store: NewMem()}
			tn := tenant(t, f, c)
			l := acquire(t, tn, "run-1")
			record(t, l, 0, 9)
			back := c.Elapsed() + away
			f.spoil(func(o op) error {
				if o.name != "Get" && c.Elapsed() < back {
					return fail(o.key, ErrUnavailable, errors.New("connection refused"))
				}
				return nil
			}, nil)
			stop := c.run(500 * time.Millisecond)
			err := l.Release(t.Context())
			stop()
			f.spoil(nil, nil)
			if short := away < DefaultTTL; short != (err == nil) {
				t.Errorf("release: %v", err)
			}
			h, _, err := tn.head(t.Context())
			if err != nil || (h.Lease == nil) != (away < DefaultTTL) {
				t.Errorf("head: %v, held %v", err, h.Lease != nil)
			}
		})
	}
}
