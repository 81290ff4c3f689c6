//go:build unix

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// posixModes says that permission bits mean something here.
const posixModes = true

var errLocked = errors.New("locked")

// tryLock takes an exclusive advisory lock on an open file, or returns errLocked
// at once.
func tryLock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch err {
		case unix.EINTR:
			continue
		case unix.EWOULDBLOCK:
			return errLocked
		}
		return err
	}
}

// checkOwner refuses what another user owns: who owns a file may change it under
// us.
func checkOwner(info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) == os.Geteuid() {
		return nil
	}
	return fmt.Errorf("%w: it belongs to user %d and this is user %d; run as that user, or change its owner",
		fs.ErrPermission, stat.Uid, os.Geteuid())
}

// syncFolder makes the names in an open folder durable.
func syncFolder(d *os.File) error { return d.Sync() }
