package prometheus_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/nodewatch/nodewatch/test/prometheus"
)

var update = flag.Bool("update", false, "write deploy/mixin/prometheusrule.yaml")

// tool runs one of the programs pinned in tools/go.mod, in deploy/mixin.
func tool(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"tool", "-modfile=" + filepath.Join(prometheus.Root(), "tools", "go.mod")}, args...)...)
	cmd.Dir = deployed("mixin")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", args, err, out, &errs)
	}
	return string(out)
}

// A group contains the compared fields of a group of rules.
type group struct {
	Name  string
	Rules []map[string]any
}

func TestDocsPrometheusRuleIsFresh(t *testing.T) {
	name := deployed("mixin", "prometheusrule.yaml")
	text := tool(t, "jsonnet", "-S", "prometheusrule.jsonnet")
	if *update {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text, string(raw)); diff != "" {
		t.Errorf("%s is stale; make docs writes it (-mixin +file)\n%s", name, diff)
	}
	var rule struct {
		Kind string
		Spec struct{ Groups []group }
	}
	if err := yaml.Unmarshal(raw, &rule); err != nil || rule.Kind != "PrometheusRule" {
		t.Fatalf("%q, %v", rule.Kind, err)
	}
	var want []group
	for _, path := range ruleFiles(t) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ Groups []group }
		if err := yaml.Unmarshal(raw, &file); err != nil {
			t.Fatal(err)
		}
		want = append(want, file.Groups...)
	}
	if diff := cmp.Diff(want, rule.Spec.Groups); diff != "" {
		t.Errorf("the PrometheusRule is not what the rule files say (-files +PrometheusRule)\n%s", diff)
	}
}

func TestMixinIsClean(t *testing.T) {
	for _, file := range []string{"mixin.libsonnet", "prometheusrule.jsonnet"} {
		tool(t, "jsonnet-lint", file)
	}
	all := tool(t, "jsonnet", "-e",
		`local m = (import 'mixin.libsonnet') { _config+:: { runbookRef: 'v9.9.9', findings: false } }; m.prometheusAlerts + { dashboards: std.objectFields(m.grafanaDashboards) }`)
	if strings.Contains(all, "/blob/main/") || !strings.Contains(all, "/blob/v9.9.9/") ||
		strings.Contains(all, "NodewatchFindingWarning") || strings.Count(all, "nodewatch-") < 2 {
		t.Errorf("the release of runbooks or the choice of findings is not respected:\n%.2000s", all)
	}
}
