package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/rule/all"
)

var update = flag.Bool("update", false, "write the golden files anew")

const incidents = "../../testdata/incidents"

// told plays a file as `nodewatch replay --brief` does.
func told(t *testing.T, file string, more ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := Main(t.Context(), append([]string{"replay", "--brief", file}, more...), nil, &out, &errs); code != exitOK {
		t.Fatalf("%s: exit %d: %s", file, code, &errs)
	}
	return out.String()
}

// Every incident says what it must, and when.
func TestIncidentsGolden(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(incidents, "*.txtar"))
	if err != nil || len(files) < 15 {
		t.Fatalf("only %d incidents found: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			got := told(t, file)
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			const mark = "-- want --\n"
			head, want, found := strings.Cut(string(raw), mark)
			if !found {
				t.Fatalf("%s has no part \"want\"", file)
			}
			if *update {
				if err := os.WriteFile(file, []byte(head+mark+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// reports returns a sum over every report of an incident, byte for byte.
func reports(t *testing.T, file string) (n int, sum string) {
	t.Helper()
	in, err := play(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	hash := sha256.New()
	j := judge.New(all.Default())
	for {
		e, err := in.next()
		if errors.Is(err, io.EOF) {
			return n, fmt.Sprintf("%x", hash.Sum(nil))
		}
		if err != nil {
			t.Fatal(err)
		}
		if v, judged := j.Take(e); judged {
			n++
			if err := json.NewEncoder(hash).Encode(v.Report); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestIncidentReplayedTwiceGivesTheSameBytes(t *testing.T) {
	file := filepath.Join(incidents, "policy-fixed-in-mid-loop.txtar")
	n, first := reports(t, file)
	_, second := reports(t, file)
	if first != second || n < 400 {
		t.Errorf("%d reports, %s and %s", n, first, second)
	}
}
