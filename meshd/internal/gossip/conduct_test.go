package gossip

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"google.golang.org/protobuf/proto"
)

// TestStrangersAreIgnored has a neighbour pass on what somebody says who is no member here.
func TestStrangersAreIgnored(t *testing.T) {
	a, b, c := line(t)
	settle(t, a, c)
	b.mu.Lock()
	b.strangers[a.host.ID()] = true
	b.mu.Unlock()
	a.say(t, "hello")
	until(t, "b has missed it", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.missed[a.host.ID()] > 0
	})
	if _, ok := b.has(b.judged, "hello"); ok {
		t.Error("what a stranger says was looked at")
	}
	if s := b.conduct.Sentence(a.host.ID()); s != "" {
		t.Errorf("somebody is blamed: %s", s)
	}
}

// TestBlame has a say what is wrong: b blames a, and c, which a is no neighbour of,
// hears nothing of it.
func TestBlame(t *testing.T) {
	a, b, c := line(t)
	settle(t, a, c)
	for _, what := range []string{"bad one", "xxx", "bad two"} {
		a.say(t, what)
		until(t, what, func() bool { _, ok := b.has(b.judged, what); return ok })
	}
	until(t, "b tells people", func() bool {
		s := b.conduct.Sentence(a.host.ID())
		return strings.Contains(s, "forged or not its right (2)") && strings.Contains(s, "garbage (1)")
	})
	for _, k := range []*talker{a, c} {
		if s := b.conduct.Sentence(k.host.ID()) + c.conduct.Sentence(k.host.ID()); k != a && s != "" {
			t.Errorf("somebody else is blamed: %s", s)
		}
	}
	if s := c.conduct.Sentence(b.host.ID()); s != "" {
		t.Errorf("b is blamed for what it has not passed on: %s", s)
	}
}

// TestBurst has one member say thousands of things at once. That is no attack.
func TestBurst(t *testing.T) {
	a, b, _ := line(t)
	const n = 3000
	for i := range n {
		a.say(t, fmt.Sprint("news ", i))
	}
	until(t, "b has heard the last", func() bool { _, ok := b.has(b.judged, fmt.Sprint("news ", n-1)); return ok })
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.conduct.Sentence(a.host.ID()); s != "" || len(b.judged) < n*9/10 {
		t.Errorf("b has heard %d; %q", len(b.judged), s)
	}
}

// TestFloodIsCutOff sends frames without end, and more than any member may.
func TestFloodIsCutOff(t *testing.T) {
	a, b, _ := line(t)
	honest := newTalker(t, b.realm)
	connect(t, honest, b)
	flooded := frame(t, message(t, a, 1, "flood"))
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		flood(a, b, stop, flooded)
	}()
	select {
	case p := <-b.blocked:
		if p != a.host.ID() {
			t.Errorf("%s was cut off", p)
		}
	case <-time.After(60 * time.Second):
		t.Errorf("the flood goes on; %q", b.conduct.Sentence(a.host.ID()))
	}
	close(stop)
	<-ended
	if !b.conduct.Blocked(a.host.ID()) || !strings.Contains(b.conduct.Sentence(a.host.ID()), "cut off until") {
		t.Errorf("b says %q", b.conduct.Sentence(a.host.ID()))
	}
	honest.say(t, "still here")
	until(t, "b hears others", func() bool { _, ok := b.has(b.delivered, "still here"); return ok })
}

// message is one that author has signed.
func message(t *testing.T, author *talker, i int, data string) *pb.Message {
	t.Helper()
	name := topic
	m := &pb.Message{Data: []byte(data), Topic: &name, From: []byte(author.host.ID()), Seqno: fmt.Appendf(nil, "%08d", i)}
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	m.Signature, err = author.host.Peerstore().PrivKey(author.host.ID()).Sign(append([]byte(pubsub.SignPrefix), raw...))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func frame(t *testing.T, m *pb.Message) []byte {
	t.Helper()
	raw, err := proto.Marshal(&pb.RPC{Publish: []*pb.Message{m}})
	if err != nil {
		t.Fatal(err)
	}
	return append(varint(len(raw)), raw...)
}

// flood writes the same frames to b, over and over, as a program would that is not ours.
func flood(a, b *talker, stop chan struct{}, frames []byte) {
	ids, _ := protocols(a.realm.Pin.Realm)
	for {
		st, err := a.host.NewStream(context.Background(), b.host.ID(), ids...)
		if err != nil {
			return // it was cut off
		}
		for err == nil {
			select {
			case <-stop:
				_ = st.Reset() // fails only when it is gone
				return
			default:
			}
			_, err = st.Write(frames)
		}
	}
}

func varint(n int) (out []byte) {
	for ; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n))
}

// TestReplay has a neighbour send again what others have said, as it was signed.
func TestReplay(t *testing.T) {
	a, b, c := line(t)
	settle(t, a, c)
	const n = 1500
	for i := range n {
		a.say(t, fmt.Sprint("again ", i))
	}
	until(t, "b has heard all", func() bool { _, ok := b.has(b.judged, fmt.Sprint("again ", n-1)); return ok })
	if s := b.conduct.Sentence(a.host.ID()); !strings.Contains(s, "repeated") {
		t.Errorf("who repeats without end is %q", s)
	}
	if s := b.conduct.Sentence(c.host.ID()); s != "" {
		t.Errorf("somebody else is blamed: %s", s)
	}
	a.say(t, "good news")
	until(t, "what it says besides is heard", func() bool { _, ok := b.has(b.delivered, "good news"); return ok })
}

// TestRecorded has a neighbour send again, much later, what somebody else has signed:
// the seen messages are forgotten by then. It is to blame, and not the author.
func TestRecorded(t *testing.T) {
	a, b, c := line(t)
	var again bytes.Buffer
	for i := range 1500 {
		again.Write(frame(t, message(t, c, i, fmt.Sprint("again ", i))))
	}
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		flood(a, b, stop, again.Bytes())
	}()
	until(t, "b blames the neighbour", func() bool { return strings.Contains(b.conduct.Sentence(a.host.ID()), "repeated") })
	close(stop)
	<-ended
	if s := b.conduct.Sentence(c.host.ID()); s != "" {
		t.Errorf("the author is blamed: %s", s)
	}
	c.say(t, "good news")
	until(t, "the author is heard", func() bool { _, ok := b.has(b.delivered, "good news"); return ok })
}

// TestForgedFrames are signed by nobody.
func TestForgedFrames(t *testing.T) {
	a, b, _ := line(t)
	forged := message(t, a, 1, "flood")
	forged.Signature[0] ^= 1
	stop := make(chan struct{})
	ended := make(chan struct{})
	bad := frame(t, forged)
	go func() {
		defer close(ended)
		flood(a, b, stop, bad)
	}()
	until(t, "b blames the neighbour", func() bool { return strings.Contains(b.conduct.Sentence(a.host.ID()), "garbage") })
	close(stop)
	<-ended
	b.mu.Lock()
	defer b.mu.Unlock()
	for what := range b.judged {
		if strings.HasPrefix(what, "flood") {
			t.Fatalf("%q was looked at", what)
		}
	}
}
