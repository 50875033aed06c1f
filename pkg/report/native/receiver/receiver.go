// Package receiver is the receiving end of the protocol of docs/report-protocol.md:
// the schema, the parsing of requests, the authentication of senders, and the order
// of reports. It rejects any violation of the protocol, but ignores and counts
// unknown fields. nodewatch-status uses it; Receiver stores reports in memory, for
// tests.
package receiver

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// Config is the configuration of a Receiver.
type Config struct {
	Tokens  map[string]string // node ids by bearer token, each valid for its node only; if empty, a client certificate is required
	Now     func() time.Time  // its clock
	MaxBody int               // largest accepted body, in bytes, before compression; 0: native.MaxBody
	Next    time.Duration     // the interval that it requests; 0: none
}

// A Node is the data that a Receiver got from one node.
type Node struct {
	Bodies      []native.Body       // accepted bodies, in order, without repetitions
	Transitions []native.Transition // each transition once, in order of arrival
	Repeated    int                 // number of transitions that arrived again with the same id
	Unknown     int                 // number of ignored fields that this version of the protocol does not list
	Tests       int
}

// Latest returns the newest body, or the zero Body if there is none.
func (n Node) Latest() native.Body {
	if len(n.Bodies) == 0 {
		return native.Body{}
	}
	return n.Bodies[len(n.Bodies)-1]
}

// Changes returns the successive statuses of a component, each as first reported.
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

// known is a node and the state needed to check its next body.
type known struct {
	Node
	last    Last              // the latest body; invalid before the first one
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

// Node returns the data of the node with the id.
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

// IDs returns the sorted ids of the nodes that have reported.
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

// Refused returns how often it has responded with the code of a refusal.
func (r *Receiver) Refused(code int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refusals[code]
}

// take processes one report.
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

// authenticate returns the id of the node to which the secret or the certificate
// belongs.
func (r *Receiver) authenticate(q *http.Request) (id string, ok bool) {
	if len(r.config.Tokens) == 0 {
		return Certified(q)
	}
	token, bearer := Bearer(q)
	id, ok = r.config.Tokens[token]
	return id, bearer && ok
}

// store saves a report and returns the response, or the conflict.
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

// refuse responds with a refusal.
func (r *Receiver) refuse(w http.ResponseWriter, code int, no native.Refusal) {
	r.mu.Lock()
	r.refusals[code]++
	r.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(no) // the client may be gone
}
