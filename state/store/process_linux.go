package store

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// ThisProcess names the running process, or returns the zero Process where that
// cannot be done.
func ThisProcess() Process {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Process{}
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return Process{}
	}
	_, start, ok := processStat(os.Getpid())
	if !ok {
		return Process{}
	}
	return Process{Boot: strings.TrimSpace(string(boot)), Namespace: namespace, PID: os.Getpid(), Start: start}
}

// processDead reports whether p is certainly dead: it ran under this boot and in
// this namespace, and its id is free, a zombie's, or a later process's.
func processDead(p Process) bool {
	here := ThisProcess()
	if !p.known() || !here.known() || p.Boot != here.Boot || p.Namespace != here.Namespace {
		return false
	}
	// Not by looking for /proc/<pid>: a mount option hides other users' processes.
	if errors.Is(syscall.Kill(p.PID, 0), syscall.ESRCH) {
		return true
	}
	status, start, ok := processStat(p.PID)
	return ok && (start != p.Start || status == "Z" || status == "X")
}

// processStat reads the status letter and the start time of a process; see
// proc_pid_stat(5), fields 3 and 22.
func processStat(pid int) (status, start string, ok bool) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", "", false
	}
	// The second field is the command in brackets and may contain anything.
	end := strings.LastIndexByte(string(raw), ')')
	if end < 0 {
		return "", "", false
	}
	fields := strings.Fields(string(raw[end+1:]))
	if len(fields) < 20 {
		return "", "", false
	}
	return fields[0], fields[19], true
}
