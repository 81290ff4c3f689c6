package review

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Way is how an item is left out.
type Way int

// The ways.
const (
	ThisTime  Way = iota // of this run alone
	UntilDate            // of every run until a date
	Exempt               // by an exemption block in the configuration
)

// Choice is what a person wants to become of an item that is left out.
type Choice struct {
	Way Way
	// Until is the last moment of the last day, UTC.
	Until time.Time
	// Exemption is what the block says.
	Exemption Exemption
}

// Exemption is what a person says about an exemption.
type Exemption struct {
	// Reason is never empty; Owner may be.
	Reason, Owner string
	// Expires is a day such as 2027-06-30; "" for none.
	Expires string
	// Functional makes a functional account of it, which goes on receiving (R39, R40).
	Functional bool
}

// Text says in a few words how an item is left out.
func (c Choice) Text() string {
	switch {
	case c.Way == UntilDate:
		return "until " + c.Until.Format(time.DateOnly)
	case c.Way == Exempt && c.Exemption.Functional:
		return "exempt, as a functional account"
	case c.Way == Exempt:
		return "exempt"
	}
	return "this time"
}

// ParseUntil reads the last day on which something is left out. It must lie ahead.
func ParseUntil(text string, now time.Time) (Choice, error) {
	day, err := time.Parse(time.DateOnly, strings.TrimSpace(text))
	if err != nil {
		return Choice{}, fmt.Errorf("write a day such as %s", now.UTC().AddDate(0, 1, 0).Format(time.DateOnly))
	}
	until := day.AddDate(0, 0, 1).Add(-time.Second)
	if !until.After(now) {
		return Choice{}, fmt.Errorf("%s is over", day.Format(time.DateOnly))
	}
	return Choice{Way: UntilDate, Until: until}, nil
}

// check completes what was typed about an exemption.
func (e *Exemption) check(now time.Time) error {
	e.Reason, e.Owner, e.Expires = strings.TrimSpace(e.Reason), strings.TrimSpace(e.Owner), strings.TrimSpace(e.Expires)
	if e.Reason == "" {
		return errors.New("a reason is needed, for whoever reads it in a year")
	}
	if e.Expires == "" {
		return nil
	}
	_, err := ParseUntil(e.Expires, now)
	return err
}
