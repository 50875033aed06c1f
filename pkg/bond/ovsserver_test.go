package bond

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ovsServer starts Open vSwitch's database server on a separate socket, with the
// installed schema, or else with only the columns that this package reads. The server
// exits when its standard input is closed, at the end of the test.
func ovsServer(t *testing.T) string {
	t.Helper()
	server, err := exec.LookPath("ovsdb-server")
	if err != nil {
		t.Skip("skipped: no ovsdb-server here (Debian: openvswitch-common)")
	}
	schema := "/usr/share/openvswitch/vswitch.ovsschema"
	if _, err := os.Stat(schema); err != nil {
		schema = "testdata/part.ovsschema"
	}
	t.Log("schema:", schema)
	dir := t.TempDir()
	db, socket := filepath.Join(dir, "conf.db"), filepath.Join(dir, "db.sock")
	if out, err := exec.Command("ovsdb-tool", "create", db, schema).CombinedOutput(); err != nil {
		t.Fatalf("ovsdb-tool: %v: %s", err, out)
	}
	c := exec.Command(server, "--remote=punix:"+socket, "--unixctl="+filepath.Join(dir, "ctl"), "--no-chdir",
		"--run=sh -c 'echo ready; exec cat'", db)
	var log strings.Builder
	c.Stderr = &log
	in, err := c.StdinPipe()
	must(t, err)
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	t.Cleanup(func() {
		in.Close()
		if err := c.Wait(); err != nil {
			t.Errorf("ovsdb-server: %v: %s", err, &log)
		}
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("ovsdb-server said %q, %v: %s", line, err, &log)
	}
	return socket
}

// insert inserts rows like those of ovsAnswer into a database.
func insert(t *testing.T, socket string) {
	t.Helper()
	var answer []struct{ Rows []map[string]any }
	must(t, json.Unmarshal([]byte(named(ovsAnswer)), &answer))
	ops := []any{"Open_vSwitch"}
	bridges := []any{}
	for i, table := range []string{"Bridge", "Port", "Interface"} {
		for _, row := range answer[i].Rows {
			op := map[string]any{"op": "insert", "table": table, "row": row}
			if id, ok := row["_uuid"].([]any); ok {
				op["uuid-name"] = id[1]
				delete(row, "_uuid")
			} else {
				op["uuid-name"] = strings.ReplaceAll(row["name"].(string), "-", "_")
				bridges = append(bridges, []any{"named-uuid", op["uuid-name"]})
			}
			ops = append(ops, op)
		}
	}
	ops = append(ops, map[string]any{"op": "insert", "table": "Open_vSwitch", "row": map[string]any{"bridges": []any{"set", bridges}}})
	c, err := net.Dial("unix", socket)
	must(t, err)
	defer c.Close()
	result, err := call(c, maxAnswer, "transact", ops)
	must(t, err)
	if strings.Contains(string(result), "error") {
		t.Fatalf("insert: %s", result)
	}
}

// named replaces the reply's references to rows with named references within a
// transaction. A database rejects references to rows that do not exist.
func named(answer string) string {
	answer = strings.ReplaceAll(answer, `,["uuid","gone"]`, "")
	return strings.ReplaceAll(answer, `["uuid",`, `["named-uuid",`)
}

func TestOVSAgainstServer(t *testing.T) {
	socket := ovsServer(t)
	if got, err := ReadOVS(t.Context(), socket); len(got) != 0 || err != nil {
		t.Errorf("an empty database: got %v, %v, want nothing", got, err)
	}
	insert(t, socket)
	got, err := ReadOVS(t.Context(), socket)
	must(t, err)
	if diff := cmp.Diff(ovsWant(), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
