package entra

import (
	"fmt"
	"strconv"
	"time"
)

// span is a time between two dates, in calendar units: "2y", "45d", "12h".
type span struct {
	years, days int
	rest        time.Duration
}

// parseSpan reads a number and one of the units y (years), w (weeks), d (days), h (hours). Months are left out: "m" reads
// as minutes to some.
func parseSpan(s string) (span, error) {
	bad := fmt.Errorf("%q is no length of time; write a whole number with y, w, d or h, such as 2y or 45d", s)
	if len(s) < 2 {
		return span{}, bad
	}
	n, err := strconv.Atoi(s[:len(s)-1])
	if err != nil || n <= 0 || n > 100_000 || s[0] == '+' {
		return span{}, bad
	}
	switch s[len(s)-1] {
	case 'y':
		return span{years: n}, nil
	case 'w':
		return span{days: 7 * n}, nil
	case 'd':
		return span{days: n}, nil
	case 'h':
		return span{rest: time.Duration(n) * time.Hour}, nil
	}
	return span{}, bad
}

func (s span) after(t time.Time) time.Time  { return t.AddDate(s.years, 0, s.days).Add(s.rest) }
func (s span) before(t time.Time) time.Time { return t.AddDate(-s.years, 0, -s.days).Add(-s.rest) }
