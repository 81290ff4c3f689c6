package dirsync

import (
	"fmt"
	"time"
)

// Exceeds says by what a limit of removals is exceeded: "3 addresses would stop receiving; 1 is allowed within 24 hours".
func Exceeds(stopping, allowed int, window time.Duration) string {
	may := fmt.Sprintf("%d are allowed", allowed)
	switch allowed {
	case 0:
		may = "none is allowed"
	case 1:
		may = "1 is allowed"
	}
	return Count(stopping, "address", "addresses") + " would stop receiving; " + may + " within " + within(window)
}

// within is a window in words: hours up to two days, then days.
func within(d time.Duration) string {
	switch {
	case d > 48*time.Hour && d%(24*time.Hour) == 0:
		return Count(int(d/(24*time.Hour)), "day", "days")
	case d >= time.Hour && d%time.Hour == 0:
		return Count(int(d/time.Hour), "hour", "hours")
	case d >= time.Minute && d%time.Minute == 0:
		return Count(int(d/time.Minute), "minute", "minutes")
	}
	return d.String()
}

// Count is "1 address", "2 addresses".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
