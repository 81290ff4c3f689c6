package dirsync

import (
	"testing"
	"time"
)

func TestExceeds(t *testing.T) {
	for _, row := range []struct {
		stopping, allowed int
		window            time.Duration
		want              string
	}{
		{3, 1, 24 * time.Hour, "3 addresses would stop receiving; 1 is allowed within 24 hours"},
		{1, 0, time.Hour, "1 address would stop receiving; none is allowed within 1 hour"},
		{80, 5, 7 * 24 * time.Hour, "80 addresses would stop receiving; 5 are allowed within 7 days"},
		{2, 2, 36 * time.Hour, "2 addresses would stop receiving; 2 are allowed within 36 hours"},
		{2, 2, 90 * time.Minute, "2 addresses would stop receiving; 2 are allowed within 90 minutes"},
		{2, 2, 90 * time.Second, "2 addresses would stop receiving; 2 are allowed within 1m30s"},
	} {
		if got := Exceeds(row.stopping, row.allowed, row.window); got != row.want {
			t.Errorf("got  %s\nwant %s", got, row.want)
		}
	}
}
