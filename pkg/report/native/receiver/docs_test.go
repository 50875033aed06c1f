package receiver_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
)

var update = flag.Bool("update", false, "rewrite the schema beside the documentation")

var example = regexp.MustCompile("(?s)```json (report|answer|refusal)\n(.*?)```")

func protocol(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "report-protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Every example in the documentation conforms to the schema, and each report among
// them is accepted.
func TestDocsExamples(t *testing.T) {
	s, err := receiver.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	check := map[string]func([]byte) []native.Field{"report": s.Report, "answer": s.Answer, "refusal": s.Refusal}
	count := map[string]int{}
	for _, m := range example.FindAllStringSubmatch(protocol(t), -1) {
		count[m[1]]++
		if wrong := check[m[1]]([]byte(m[2])); len(wrong) > 0 {
			t.Errorf("%s %d: %v", m[1], count[m[1]], wrong)
		}
		if m[1] != "report" {
			continue
		}
		var b native.Body
		if err := json.Unmarshal([]byte(m[2]), &b); err != nil {
			t.Fatal(err)
		}
		q := request(t, b)
		if b.Node.ID == "node7" {
			q.Header.Set("Authorization", "Bearer secret7")
		}
		if code, text := newBench(t).answer(q); code != 200 {
			t.Errorf("report %d is refused: %d %s", count[m[1]], code, text)
		}
	}
	if count["report"] < 2 || count["answer"] < 1 || count["refusal"] < 3 {
		t.Errorf("only %v examples were found", count)
	}
}

// Every field of the schema is named in the documentation.
func TestDocsNameEveryField(t *testing.T) {
	text := protocol(t)
	var walk func(path string, v any)
	walk = func(path string, v any) {
		m, ok := v.(map[string]any)
		if !ok {
			return
		}
		for key, below := range m {
			if key != "properties" {
				walk(path+"/"+key, below)
				continue
			}
			for field, is := range below.(map[string]any) {
				if !strings.Contains(text, "`"+field+"`") {
					t.Errorf("%s: the field %s is not in docs/report-protocol.md", path, field)
				}
				walk(path+"/"+field, is)
			}
		}
	}
	var doc any
	if err := json.Unmarshal(receiver.Document, &doc); err != nil {
		t.Fatal(err)
	}
	walk("", doc)
	for _, code := range []int{200, 400, 401, 403, 409, 413, 415, 422, 429, 503} {
		if !strings.Contains(text, fmt.Sprintf("| %d |", code)) {
			t.Errorf("the answer %d has no row", code)
		}
	}
}
