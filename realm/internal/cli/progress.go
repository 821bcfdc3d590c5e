package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// progress shows on standard error how far something is that moves bytes, how fast it
// is and how long it will take: as a bar on a terminal, else as a line now and then,
// and not at all with --json. It is safe for use by several goroutines: a request that
// has failed may still be read while it is made again.
type progress struct {
	app   *app
	name  string
	meter meter
	shown atomic.Int64 // when the bar was moved last, in Unix nanoseconds

	screen *mpb.Progress // nil: no terminal
	bar    *mpb.Bar

	stop, stopped chan struct{} // of the lines; nil: there are none
}

const (
	linesEvery      = 5 * time.Second
	barEvery        = 100 * time.Millisecond
	maxProgressName = 32 // characters
)

// newProgress begins to show something of total bytes; -1: nobody knows. The caller
// ends it.
func (a *app) newProgress(name string, total int64) *progress {
	p := &progress{app: a, name: clip(printable(name), maxProgressName)}
	p.meter.begin(total, time.Now())
	f, ok := a.err.(*os.File)
	switch {
	case a.json:
	case ok && term.IsTerminal(int(f.Fd())):
		p.screen = mpb.New(mpb.WithOutput(f), mpb.WithWidth(40))
		p.bar = p.screen.MustAdd(max(total, 0), fillKnown(mpb.BarStyle().Build()), mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(p.name+" ")),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return p.meter.text(time.Now()) })))
	default:
		p.stop, p.stopped = make(chan struct{}), make(chan struct{})
		go p.lines()
	}
	return p
}

// fillKnown draws a bar while it is known how long it is to be.
func fillKnown(bar mpb.BarFiller) mpb.BarFiller {
	return mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error {
		if s.Total <= 0 {
			return nil
		}
		return bar.Fill(w, s)
	})
}

func (p *progress) lines() {
	defer close(p.stopped)
	tick := time.NewTicker(linesEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case now := <-tick.C:
			p.app.note("%s: %s", p.name, p.meter.text(now))
		}
	}
}

// set says that done bytes have been moved, of total; -1: nobody knows.
func (p *progress) set(done, total int64) {
	now := time.Now()
	if p.meter.set(done, total, now) {
		p.app.moves()
	}
	if last := p.shown.Load(); p.bar != nil && now.UnixNano()-last >= int64(barEvery) && p.shown.CompareAndSwap(last, now.UnixNano()) {
		if total > 0 {
			p.bar.SetTotal(total, false)
		}
		p.bar.SetCurrent(done)
	}
}

// add says that n more bytes have been moved.
func (p *progress) add(n int64) {
	done, total := p.meter.read()
	p.set(done+n, total)
}

// tell adds a word to what is shown.
func (p *progress) tell(note string) { p.meter.tell(note) }

// reader counts what is read from r, from the beginning.
func (p *progress) reader(r io.Reader) io.Reader {
	_, total := p.meter.read()
	p.set(0, total)
	return &countedReader{r, p}
}

type countedReader struct {
	io.Reader
	progress *progress
}

func (c *countedReader) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	if n > 0 {
		c.progress.add(int64(n))
	}
	return n, err
}

// end takes the bar away, or writes no more lines.
func (p *progress) end() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.screen.Wait()
	}
	if p.stop != nil {
		close(p.stop)
		<-p.stopped
	}
}

// meter is how far something is, and how fast it has been lately. It is safe for use by
// several goroutines.
type meter struct {
	mu    sync.Mutex
	done  int64
	total int64 // -1: nobody knows
	note  string
	past  []moment // at most meterPast, the oldest first
}

// moment is how far something was at a time.
type moment struct {
	at   time.Time
	done int64
}

// The rate is that of the last seconds.
const (
	meterPast  = 16
	meterEvery = 500 * time.Millisecond
)

func (m *meter) begin(total int64, now time.Time) {
	m.total, m.past = total, []moment{{now, 0}}
}

// set reports whether there is more than there was.
func (m *meter) set(done, total int64, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	moved := done > m.done
	if done < m.done {
		m.past = []moment{{now, done}} // it begins anew
	}
	m.done, m.total = done, total
	if now.Sub(m.past[len(m.past)-1].at) >= meterEvery {
		m.past = append(m.past, moment{now, done})
		m.past = m.past[max(len(m.past)-meterPast, 0):]
	}
	return moved
}

func (m *meter) read() (done, total int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.done, m.total
}

func (m *meter) tell(note string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note = note
}

// text says how far it is: "312.0 MiB of 1.2 GiB, 84.0 MiB/s, 11 s left".
func (m *meter) text(now time.Time) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	text := sizeText(m.done)
	if m.total >= 0 {
		text += " of " + sizeText(m.total)
	}
	rate := 0.0
	if over := now.Sub(m.past[0].at); over >= meterEvery {
		rate = float64(m.done-m.past[0].done) / over.Seconds()
	}
	return strings.Join(nonEmpty(text, rateText(rate), leftText(m.total-m.done, rate), m.note), ", ")
}

// rateText is a number of bytes a second for people; "" for none.
func rateText(rate float64) string {
	if rate < 1 {
		return ""
	}
	return bytesText(int64(rate)) + "/s"
}

// leftText says how long so many bytes take; "" where that is not known.
func leftText(left int64, rate float64) string {
	if left <= 0 || rate < 1 {
		return ""
	}
	seconds := float64(left) / rate
	const longest = 100 * time.Hour
	if seconds > longest.Seconds() {
		return "days left"
	}
	switch d := time.Duration(seconds * float64(time.Second)).Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%d s left", max(int(d.Seconds()), 1))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s left", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%d h %d min left", int(d.Hours()), int(d.Minutes())%60)
	}
}
