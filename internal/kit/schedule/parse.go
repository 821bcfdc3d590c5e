package schedule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netresearch/go-cron"
)

// maxText is the most bytes of an expression.
const maxText = 256

// maxEvery is the longest period of "@every".
const maxEvery = 366 * 24 * time.Hour

// named are the expressions that have names.
var named = map[string]string{
	"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
	"@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}

// field is what one may write in a place of an expression.
type field struct{ name, allowed string }

// places are the fields of an expression with seconds.
var places = [6]field{
	{"second", "0-59"}, {"minute", "0-59"}, {"hour", "0-23"}, {"day of month", "1-31"},
	{"month", "1-12 or JAN-DEC"}, {"day of week", "0-7 (0 and 7 are Sunday) or SUN-SAT"},
}

// Parse reads an expression, and the name of the zone whose clock it is about; "" is
// UTC. Errors say which field is wrong and what it may be.
func Parse(expr, zone string) (Schedule, error) {
	if len(expr) > maxText {
		return Schedule{}, fmt.Errorf("schedule: %d bytes, want %d at most", len(expr), maxText)
	}
	if upper := strings.ToUpper(expr); strings.Contains(upper, "TZ=") {
		return Schedule{}, fmt.Errorf("schedule %q: the zone stands elsewhere: use time_zone", expr)
	}
	loc, err := loadZone(zone)
	if err != nil {
		return Schedule{}, err
	}
	words := strings.Fields(expr)
	s := Schedule{text: strings.Join(words, " "), zone: loc}
	if len(words) > 0 && strings.HasPrefix(words[0], "@") {
		if words[0] == "@every" {
			s.every, err = parseEvery(words[1:])
			return orNone(s, err)
		}
		words = strings.Fields(named[s.text])
		if len(words) == 0 {
			return Schedule{}, fmt.Errorf("schedule %q is unknown: want @hourly, @daily, @weekly, @monthly, @yearly or \"@every 90s\"", s.text)
		}
	}
	return orNone(s, s.setFields(words))
}

// orNone returns a schedule, or none where there is an error.
func orNone(s Schedule, err error) (Schedule, error) {
	if err != nil {
		return Schedule{}, err
	}
	return s, nil
}

func parseEvery(words []string) (time.Duration, error) {
	if len(words) != 1 {
		return 0, errors.New("schedule: @every wants one duration, like \"@every 90s\" or \"@every 1h30m\"")
	}
	d, err := time.ParseDuration(words[0])
	if err != nil || d < time.Second || d > maxEvery || d%time.Second != 0 {
		return 0, fmt.Errorf("schedule: @every %s: want whole seconds, from 1s to %s", words[0], maxEvery)
	}
	return d, nil
}

// setFields takes the five or six fields of an expression.
func (s *Schedule) setFields(words []string) error {
	switch len(words) {
	case 5:
		words = append([]string{"0"}, words...)
	case 6:
	default:
		return fmt.Errorf("schedule %q has %d fields: want five (minute hour day-of-month month day-of-week), or six with seconds first", s.text, len(words))
	}
	bits := [6]*uint64{&s.bits.second, &s.bits.minute, &s.bits.hour, &s.bits.dom, &s.bits.month, &s.bits.dow}
	for i, word := range words {
		var err error
		if *bits[i], err = parseField(i, word); err != nil {
			return err
		}
	}
	s.follows = slices.ContainsFunc(words[:3], hasStar)
	s.eitherDay = !strings.HasPrefix(words[3], "*") && !strings.HasPrefix(words[5], "*")
	if s.nextWall(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(-time.Second)).IsZero() {
		return fmt.Errorf("schedule %q never comes: no month of it has such a day", s.text)
	}
	return nil
}

func hasStar(word string) bool { return strings.Contains(word, "*") }

// parser reads all six fields; which day fields have to match is set by Schedule.
var parser = cron.MustNewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// parseField returns the values of the field in a place, as bits. The library reads each
// by itself, so that an error can name it.
func parseField(place int, word string) (uint64, error) {
	f := places[place]
	wrong := fmt.Errorf("schedule: %s %q: want %s, lists (1,5), ranges (1-5), steps no longer than their range (*/2) or *", f.name, word, f.allowed)
	if strings.ContainsFunc(word, notInField) || slices.ContainsFunc(strings.Split(word, ","), notItem) {
		return 0, wrong
	}
	all := [6]string{"*", "*", "*", "*", "*", "*"}
	all[place] = word
	read, err := parser.Parse(strings.Join(all[:], " "))
	if err != nil {
		return 0, wrong
	}
	spec, ok := read.(*cron.SpecSchedule)
	if !ok {
		return 0, wrong
	}
	bits := [6]uint64{spec.Second, spec.Minute, spec.Hour, spec.Dom, spec.Month, spec.Dow}[place]
	return bits &^ (1 << 63), nil // the mark of *, which Schedule keeps by itself
}

// notItem: the library passes over what is empty, and over what follows a *.
func notItem(item string) bool {
	return item == "" || hasStar(item) && item != "*" && !strings.HasPrefix(item, "*/")
}

// notInField: the library takes more, which cron does not know.
func notInField(r rune) bool {
	return !strings.ContainsRune("*,-/", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}
