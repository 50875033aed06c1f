package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// A Presence is the stored state of a node's latest report.
type Presence struct {
	Boot     string
	Started  time.Time // start of the agent, to the nanosecond
	Seq      uint64
	Sent     time.Time
	Arrived  time.Time
	Interval time.Duration
	TTL      time.Duration
	Final    string            // why the agent stopped; empty: it is running
	Digest   string            // digest of the report's content
	Answered []native.Response // the latest responses of this boot, oldest first
	Silent   time.Time         // since when it is recorded as silent; zero: it is not
	Silence  string            // why it is recorded as silent; empty: it is not
}

// A Node is a node that has reported.
type Node struct {
	ID        int64
	Key       string // node.id of the protocol
	Name      string
	Site      string
	Version   string // version of nodewatch
	FirstSeen time.Time
	Body      native.Body // the latest one with new content
	BodyAt    time.Time
	Presence
}

// Presence returns a node's number and its presence, locked until the end of the
// transaction. The number 0 means that the node has not reported yet.
func (t *Tx) Presence(ctx context.Context, key string) (id int64, p Presence, err error) {
	row := presenceRow{}
	found, err := t.one(ctx, append([]any{&id}, row.fields()...), `SELECT n.id, `+presenceColumns+`
		FROM node n JOIN presence p ON p.node_id = n.id WHERE n.key = $1`+t.forUpdate(), key)
	if err != nil || !found {
		return 0, Presence{}, err
	}
	p, err = row.presence()
	return id, p, err
}

// SavePresence stores a node's presence.
func (t *Tx) SavePresence(ctx context.Context, id int64, p Presence) error {
	answered, err := json.Marshal(p.Answered)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	final := sql.NullString{String: p.Final, Valid: p.Final != ""}
	_, err = t.exec(ctx, `INSERT INTO presence (node_id, boot, started, seq, sent, arrived, interval_s, ttl_s, final, digest, answered, silent, silence)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (node_id) DO UPDATE SET boot = excluded.boot, started = excluded.started, seq = excluded.seq, sent = excluded.sent, arrived = excluded.arrived,
			interval_s = excluded.interval_s, ttl_s = excluded.ttl_s, final = excluded.final, digest = excluded.digest, answered = excluded.answered, silent = excluded.silent, silence = excluded.silence`,
		id, p.Boot, p.Started.UnixNano(), int64(p.Seq), millis(p.Sent), millis(p.Arrived), int64(p.Interval/time.Second),
		int64(p.TTL/time.Second), final, p.Digest, string(answered), optional(p.Silent), p.Silence)
	return err
}

// SaveBody stores the content of a report, and returns the node's number. It creates
// a new node.
func (t *Tx) SaveBody(ctx context.Context, b native.Body, arrived time.Time) (id int64, err error) {
	raw, err := t.pack(b)
	if err != nil {
		return 0, err
	}
	_, err = t.one(ctx, []any{&id},
		`INSERT INTO node (key, name, site, version, first_seen, body, body_at) VALUES ($1, $2, $3, $4, $5, $6, $5)
		ON CONFLICT (key) DO UPDATE SET name = excluded.name, site = excluded.site, version = excluded.version, body = excluded.body, body_at = excluded.body_at
		RETURNING id`, b.Node.ID, b.Node.Name, b.Node.Site, b.Agent.Version, millis(arrived), raw)
	return id, err
}

// Nodes returns all nodes that have reported, by key.
func (t *Tx) Nodes(ctx context.Context) ([]Node, error) {
	return t.nodes(ctx, "ORDER BY n.key")
}

// Node returns the node with the key; false: it has not reported.
func (t *Tx) Node(ctx context.Context, key string) (Node, bool, error) {
	list, err := t.nodes(ctx, "WHERE n.key = $1", key)
	if err != nil || len(list) == 0 {
		return Node{}, false, err
	}
	return list[0], true, nil
}

func (t *Tx) nodes(ctx context.Context, which string, args ...any) (list []Node, err error) {
	err = t.rows(ctx, func(r *sql.Rows) error {
		var (
			n             Node
			raw           []byte
			first, bodyAt int64
			row           presenceRow
		)
		if err := r.Scan(append([]any{&n.ID, &n.Key, &n.Name, &n.Site, &n.Version, &first, &raw, &bodyAt},
			row.fields()...)...); err != nil {
			return err
		}
		n.FirstSeen, n.BodyAt = at(first), at(bodyAt)
		if n.Body, err = unpack(raw); err != nil {
			return err
		}
		n.Presence, err = row.presence()
		list = append(list, n)
		return err
	}, `SELECT n.id, n.key, n.name, n.site, n.version, n.first_seen, n.body, n.body_at, `+presenceColumns+`
		FROM node n JOIN presence p ON p.node_id = n.id `+which, args...)
	return list, err
}

// DeleteNode deletes a node and its record; false: there is none.
func (t *Tx) DeleteNode(ctx context.Context, key string) (bool, error) {
	n, err := t.exec(ctx, `DELETE FROM node WHERE key = $1`, key)
	return n > 0, err
}

const presenceColumns = `p.boot, p.started, p.seq, p.sent, p.arrived, p.interval_s, p.ttl_s, p.final, p.digest, p.answered, p.silent, p.silence`

// A presenceRow is a Presence in the form of the database.
type presenceRow struct {
	boot, digest, answered, silence         string
	started, seq, sent, arrived, every, ttl int64
	final                                   sql.NullString
	silent                                  sql.NullInt64
}

func (r *presenceRow) fields() []any {
	return []any{&r.boot, &r.started, &r.seq, &r.sent, &r.arrived, &r.every, &r.ttl, &r.final, &r.digest, &r.answered,
		&r.silent, &r.silence}
}

func (r *presenceRow) presence() (Presence, error) {
	p := Presence{
		Boot: r.boot, Started: time.Unix(0, r.started).UTC(), Seq: uint64(r.seq), Sent: at(r.sent), Arrived: at(r.arrived),
		Interval: time.Duration(r.every) * time.Second, TTL: time.Duration(r.ttl) * time.Second,
		Final: r.final.String, Digest: r.digest, Silent: maybe(r.silent), Silence: r.silence,
	}
	if err := json.Unmarshal([]byte(r.answered), &p.Answered); err != nil {
		return Presence{}, fmt.Errorf("store: the answers of a node: %w", err)
	}
	return p, nil
}

func (t *Tx) pack(b native.Body) ([]byte, error) {
	var buf bytes.Buffer
	z := t.zips.Get().(*gzip.Writer)
	defer t.zips.Put(z)
	z.Reset(&buf)
	if err := json.NewEncoder(z).Encode(b); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return buf.Bytes(), nil
}

func unpack(raw []byte) (b native.Body, err error) {
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return b, fmt.Errorf("the body of a node: %w", err)
	}
	err = json.NewDecoder(io.LimitReader(z, 8*native.MaxBody)).Decode(&b)
	if err != nil {
		return b, fmt.Errorf("the body of a node: %w", err)
	}
	return b, nil
}
