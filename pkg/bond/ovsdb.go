package bond

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
)

// OVSSocket is the socket of Open vSwitch's database.
const OVSSocket = "/var/run/openvswitch/db.sock"

// maxAnswer is the most that is read of the database's reply, in bytes: about 30,000
// interfaces.
const maxAnswer = 8 << 20

// ReadOVS reads the bonds of Open vSwitch, sorted by name, from its database (RFC
// 7047) at this socket. Without Open vSwitch the socket does not exist, and the error
// is an fs.ErrNotExist. It returns by the deadline of ctx, and after two seconds at
// the latest.
func ReadOVS(ctx context.Context, socket string) ([]Bond, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("bond: open vswitch: %w", err)
	}
	defer c.Close()
	if end, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(end); err != nil {
			return nil, fmt.Errorf("bond: open vswitch: %w", err)
		}
	}
	s, err := readOVS(c, maxAnswer)
	if err != nil {
		return nil, fmt.Errorf("bond: open vswitch: %w", err)
	}
	return s.bonds(), nil
}

// readOVS selects the columns of ovsState in one transaction. most is the most it reads,
// in bytes.
func readOVS(c io.ReadWriter, most int64) (ovsState, error) {
	type op struct {
		Op      string   `json:"op"`
		Table   string   `json:"table"`
		Where   []string `json:"where"`
		Columns []string `json:"columns"`
	}
	all := []string{}
	result, err := call(c, most, "transact", []any{
		"Open_vSwitch",
		op{"select", "Bridge", all, []string{"name", "ports"}},
		op{"select", "Port", all, []string{"_uuid", "name", "interfaces", "bond_mode", "lacp", "bond_active_slave", "other_config"}},
		op{"select", "Interface", all, []string{
			"_uuid", "name", "type", "ifindex", "link_state", "link_speed", "duplex", "mac_in_use", "mtu", "lacp_current", "status",
		}},
	})
	if err != nil {
		return ovsState{}, err
	}
	return parseOVS(result)
}

// parseOVS reads the result of the transaction: the rows of each select.
func parseOVS(result []byte) (ovsState, error) {
	var s ovsState
	var answers []json.RawMessage
	if err := json.Unmarshal(result, &answers); err != nil {
		return s, err
	}
	for i, into := range []any{&s.bridges, &s.ports, &s.interfaces} {
		if i >= len(answers) {
			return s, fmt.Errorf("%d answers to 3 selects", len(answers))
		}
		var answer struct {
			Error, Details string
			Rows           json.RawMessage
		}
		if err := json.Unmarshal(answers[i], &answer); err != nil {
			return s, err
		}
		if answer.Error != "" {
			return s, fmt.Errorf("select %d: %q %q", i, answer.Error, answer.Details)
		}
		if err := json.Unmarshal(answer.Rows, into); err != nil {
			return s, err
		}
	}
	return s, nil
}

// errLong reports that the database's reply exceeds the limit.
var errLong = errors.New("answer is too long")

// call makes one JSON-RPC request and returns its result. most is the most it reads, in bytes. Meanwhile it replies to
// the server's echo requests and skips notifications.
func call(c io.ReadWriter, most int64, method string, params any) (json.RawMessage, error) {
	id := json.RawMessage("1")
	out := json.NewEncoder(c)
	if err := out.Encode(map[string]any{"id": id, "method": method, "params": params}); err != nil {
		return nil, err
	}
	limited := &io.LimitedReader{R: c, N: most}
	in := json.NewDecoder(limited)
	for {
		var m struct {
			ID                    json.RawMessage
			Method                string
			Params, Result, Error json.RawMessage
		}
		err := in.Decode(&m)
		switch {
		case err != nil && limited.N == 0:
			return nil, errLong
		case err != nil:
			return nil, err
		case m.Method == "echo":
			if err := out.Encode(map[string]any{"id": m.ID, "result": m.Params, "error": nil}); err != nil {
				return nil, err
			}
		case m.Method != "" || !bytes.Equal(m.ID, id):
		case len(m.Error) > 0 && !bytes.Equal(m.Error, []byte("null")):
			return nil, fmt.Errorf("%s: %.200s", method, m.Error)
		default:
			return m.Result, nil
		}
	}
}
