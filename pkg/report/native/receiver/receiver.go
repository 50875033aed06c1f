// Package receiver is the receiving end of the protocol of docs/report-protocol.md:
// the schema, how a request is read, who sent it, and which report follows which.
// It is strict about every word of the protocol, and ignores and counts fields it
// does not know. nodewatch-status uses it; Receiver keeps what it gets in
// memory, for tests.
package receiver

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// Config says how a Receiver behaves.
type Config struct {
	Tokens  map[string]string // node ids by bearer token: each speaks for its node only; empty: a client certificate must
	Now     func() time.Time  // its clock
	MaxBody int               // largest body that is taken, in bytes, before compression; 0: native.MaxBody
	Next    time.Duration     // the interval that it asks for; 0: it does not
}

// A Node is what a Receiver got from one node.
type Node struct {
	Bodies      []native.Body       // taken, in order, without repetitions
	Transitions []native.Transition // each once, in the order of their arrival
	Repeated    int                 // transitions that came again under the same id
	Unknown     int                 // fields that this version of the protocol does not list, and that were ignored
	Tests       int
}

// Latest is the newest body, and the zero Body before there is one.
func (n Node) Latest() native.Body {
	if len(n.Bodies) == 0 {
		return native.Body{}
	}
	return n.Bodies[len(n.Bodies)-1]
}

// Changes are the statuses that a component has had, one after the other, each as first
// reported.
func (n Node) Changes(component string) (list []native.Component) {
	for _, b := range n.Bodies {
		for _, c := range b.Components {
			if c.ID == component && (len(list) == 0 || list[len(list)-1].Status != c.Status) {
				list = append(list, c)
			}
		}
	}
	return list
}

// A Receiver is an http.Handler for POST /v1/report.
type Receiver struct {
	config Config
	schema *Schema
	mux    *http.ServeMux

	mu       sync.Mutex
	nodes    map[string]*known
	refusals map[int]int // by code
}

// known is a node and what makes sense of its next body.
type known struct {
	Node
	last    Last              // the latest body; of no use before there is one
	ids     map[string]bool   // of transitions
	answers map[string][]byte // by idempotency key
}

// New returns a Receiver.
func New(c Config) (*Receiver, error) {
	s, err := NewSchema()
	if err != nil {
		return nil, err
	}
	if c.MaxBody == 0 {
		c.MaxBody = native.MaxBody
	}
	r := &Receiver{config: c, schema: s, mux: http.NewServeMux(), nodes: map[string]*known{}, refusals: map[int]int{}}
	r.mux.HandleFunc("POST /v1/report", r.take)
	return r, nil
}

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) { r.mux.ServeHTTP(w, q) }

// Node returns what came from the node with the id.
func (r *Receiver) Node(id string) Node {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.nodes[id]
	if k == nil {
		return Node{}
	}
	n := k.Node
	n.Bodies, n.Transitions = slices.Clone(n.Bodies), slices.Clone(n.Transitions)
	return n
}

// IDs are the ids of the nodes that have reported, sorted.
func (r *Receiver) IDs() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := []string{}
	for id := range r.nodes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Refused is how often it has refused with the code.
func (r *Receiver) Refused(code int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refusals[code]
}

// take takes one report.
func (r *Receiver) take(w http.ResponseWriter, q *http.Request) {
	node, ok := r.authenticate(q)
	if !ok {
		r.refuse(w, http.StatusUnauthorized, native.Refusal{Error: "the secret is unknown"})
		return
	}
	got, no := r.schema.Read(q, node, r.config.MaxBody)
	if no != nil {
		r.refuse(w, no.Code, no.Refusal)
		return
	}
	answer, conflict := r.store(got, q.Header.Get("Idempotency-Key"))
	if conflict != nil {
		r.refuse(w, http.StatusConflict, *conflict)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer)
}

// authenticate returns the id of the node that the secret or the certificate belongs to.
func (r *Receiver) authenticate(q *http.Request) (id string, ok bool) {
	if len(r.config.Tokens) == 0 {
		return Certified(q)
	}
	token, bearer := Bearer(q)
	id, ok = r.config.Tokens[token]
	return id, bearer && ok
}

// store saves a report and returns the answer, or the conflict.
func (r *Receiver) store(got Report, key string) (answer []byte, no *native.Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, b := r.config.Now(), got.Body
	k := r.nodes[b.Node.ID]
	if k == nil {
		k = &known{ids: map[string]bool{}, answers: map[string][]byte{}}
		r.nodes[b.Node.ID] = k
	}
	answer, err := json.Marshal(native.Response{Accepted: b.Seq, ServerTime: now.UTC(), Next: r.config.Next.Seconds()})
	if err != nil {
		return nil, &native.Refusal{Error: err.Error()}
	}
	if b.Test != "" {
		k.Tests++
		return answer, nil
	}
	if earlier, ok := k.answers[key]; ok {
		return earlier, nil
	}
	if len(k.Bodies) > 0 {
		if no := k.last.Conflict(b, now); no != nil {
			return nil, no
		}
	}
	k.last, k.answers[key] = LastOf(b, now), answer
	k.Unknown += got.Unknown
	k.Bodies = append(k.Bodies, b)
	for _, t := range b.Transitions {
		if k.ids[t.ID] {
			k.Repeated++
			continue
		}
		k.ids[t.ID] = true
		k.Transitions = append(k.Transitions, t)
	}
	return answer, nil
}

// refuse answers with a refusal.
func (r *Receiver) refuse(w http.ResponseWriter, code int, no native.Refusal) {
	r.mu.Lock()
	r.refusals[code]++
	r.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(no) // nobody may be listening
}
