package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weir-project/weir/providers/sim"
)

// cmdRequests is the script command
//
//	requests [WHAT=N…]     since the last look each list was asked for N times; without any, only look
//
// WHAT is users, groups, contacts, domains, objects (one directory object, directly), memberships (the groups of
// one), mailboxes, dynamic or accounts, and stands for every request about it, token, pages and counts too. What is left out
// is 0. Each look begins anew.
func cmdRequests(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("write the numbers: requests users=1")
	}
	s := scriptOf(ts)
	got := map[string]int{}
	var last int64
	for _, e := range serverOf(ts).Journal() {
		last = e.Seq
		if e.Seq <= s.asked {
			continue
		}
		if what := listOf(e); what != "" {
			got[what]++
		}
	}
	s.asked = last
	if len(args) == 0 {
		return
	}
	want := map[string]bool{}
	for what, n := range got {
		pair := what + "=" + strconv.Itoa(n)
		want[pair] = true
		if !slices.Contains(args, pair) {
			ts.Fatalf("%s was asked for %d times; wanted %s", what, n, strings.Join(args, " "))
		}
	}
	for _, pair := range args {
		if !want[pair] {
			ts.Fatalf("wanted %s, and there were %v", pair, got)
		}
	}
}

// listOf names what a request is about; "" for those that have to do with no list.
func listOf(e sim.Entry) string {
	path := strings.Trim(strings.TrimPrefix(e.Path, "/v1.0"), "/")
	first, rest, _ := strings.Cut(path, "/")
	switch e.Vendor {
	case sim.Graph:
		switch {
		case rest == "" || rest == "delta" || rest == "$count":
			if first == "users" || first == "groups" || first == "contacts" || first == "domains" {
				return first
			}
		case strings.HasSuffix(rest, "emberOf"):
			return "memberships"
		case first == "users" || first == "groups" || first == "contacts" || first == "directory":
			return "objects"
		}
	case sim.Exchange:
		switch e.Operation {
		case "Get-Mailbox":
			return "mailboxes"
		case "Get-DynamicDistributionGroup":
			return "dynamic"
		}
	case sim.Essentials:
		if e.Method == "GET" && strings.HasSuffix(e.Path, "/users") {
			return "accounts"
		}
	}
	return ""
}

// cmdSpoil adds a byte to every file below a folder, of which there must be some.
func cmdSpoil(ts *testscript.TestScript, _ bool, args []string) {
	need(ts, args, 1, "spoil DIR")
	n := 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		n++
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString("x")
		return errors.Join(err, f.Close())
	}))
	if n == 0 {
		ts.Fatalf("nothing is below %s", args[0])
	}
}
