package native_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// The child of TestAKillLosesNothingThatWasKept is this test binary with these
// variables set.
const (
	childRun   = "NODEWATCH_TEST_CHILD_RUN"
	childURL   = "NODEWATCH_TEST_CHILD_URL"
	childState = "NODEWATCH_TEST_CHILD_STATE"
	childToken = "NODEWATCH_TEST_CHILD_TOKEN"
)

func TestMain(m *testing.M) {
	if run := os.Getenv(childRun); run != "" {
		if err := child(run); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child keeps reporting new transitions, and prints which of them are on disk, until
// it is killed or its standard input is closed.
func child(run string) error {
	n, err := strconv.Atoi(run)
	if err != nil {
		return err
	}
	kept, err := statefile.In(os.Getenv(childState), "status")
	if err != nil {
		return err
	}
	client, err := httpclient.New(httpclient.Options{})
	if err != nil {
		return err
	}
	c := native.Default()
	c.URL, c.Token = os.Getenv(childURL), httpclient.SecretFile(os.Getenv(childToken))
	x, err := native.New(c, client, kept)
	if err != nil {
		return err
	}
	ask := bufio.NewScanner(os.Stdin) // each line requests one more
	for last := uint64(1); ask.Scan(); last++ {
		r := calm(time.Duration(n)*time.Minute + time.Duration(last)*time.Millisecond)
		r.Started = reporttest.Noon.Add(time.Duration(n) * time.Minute)
		r = withTransitions(r, max(last, 200)-199, last)
		if err := x.Persist(r); err != nil {
			return err
		}
		if x.Queue().Unsaved == 0 {
			fmt.Printf("kept %s/%d\n", r.Started.Format("20060102T150405.000000000Z"), last)
		}
		_ = x.Report(context.Background(), r) // it may be down
		if err := x.Persist(r); err != nil {
			return err
		}
	}
	return nil
}

// A child reports to a backend that is alternately up and down, and is killed at
// random moments and restarted many times. Every transition that was on disk arrives
// once, with one id.
func TestAKillLosesNothingThatWasKept(t *testing.T) {
	url, rc, _ := backend(t, receiver.Config{}, func(w http.ResponseWriter, _ *http.Request) bool {
		isDown := rand.IntN(3) > 0
		if isDown {
			w.WriteHeader(http.StatusInternalServerError)
		}
		return isDown
	})
	dir, secret := t.TempDir(), reporttest.Secret(t, token)
	kept := map[string]bool{}
	const kills = 6
	for run := range kills {
		for _, id := range runChild(t, run, url, dir, string(secret), 3+rand.IntN(20)) {
			kept[id] = true
		}
	}
	x := reporter(t, url, reporttest.StateFile(t, dir, "status"))
	for n := 0; x.Queue().Waiting > 0 && n < 1000; n++ {
		r := calm(time.Hour + time.Duration(n)*time.Second)
		r.Started = reporttest.Noon.Add(time.Hour)
		_ = x.Report(t.Context(), r) // it may be down
	}
	got := rc.Node("rl1/node2")
	ids, what := map[string]bool{}, map[string]string{}
	for _, x := range got.Transitions {
		ids[x.ID] = true
		key := fmt.Sprintf("%s %d %s", x.Run, x.N, x.At)
		if other, twice := what[key]; twice {
			t.Errorf("the transition %s came as %s and as %s", key, other, x.ID)
		}
		what[key] = x.ID
	}
	lost := 0
	for id := range kept {
		if !ids[id] {
			lost++
		}
	}
	if lost > 0 || len(kept) < kills {
		t.Errorf("%d of %d kept transitions are lost", lost, len(kept))
	}
	t.Logf("%d kills, %d transitions kept, %d arrived, %d came again under the same id", kills, len(kept), len(ids), got.Repeated)
}

// runChild lets a child report some transitions, kills it at a random moment, and
// returns the ids that it printed as on disk.
func runChild(t *testing.T, run int, url, dir, secret string, steps int) (kept []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", childRun, run), childURL+"="+url, childState+"="+dir, childToken+"="+secret)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte(strings.Repeat("more\n", 1000))); err != nil {
		t.Fatal(err)
	}
	for said := bufio.NewScanner(out); said.Scan(); {
		id, ok := strings.CutPrefix(said.Text(), "kept ")
		if !ok {
			t.Errorf("the child says %q", said.Text())
			break
		}
		if kept = append(kept, id); len(kept) == steps {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return kept
}
