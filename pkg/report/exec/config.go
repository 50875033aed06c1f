package exec

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/changes"
)

// Config is the configuration of the reporter: the program and when to run it. Its
// zero value is invalid: start from Default.
type Config struct {
	Program     string            `yaml:"program" doc:"absolute path of the program; it is not run through a shell"`
	Args        []string          `yaml:"args" doc:"its arguments, passed unchanged"`
	Environment map[string]string `yaml:"environment" doc:"additional environment variables; no secrets"`
	Mode        string            `yaml:"mode" doc:"changes: run when something changes; state: run at each interval with the whole report" oneof:"changes state"`
	Tell        []string          `yaml:"tell" doc:"changes to report: raised worse blind milder seen passed cleared"`
}

// Default returns the default configuration, without the program.
func Default() Config {
	return Config{Mode: "changes", Tell: []string{"raised", "worse", "blind", "milder", "passed", "cleared"}}
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,99}$`)

// Check returns a *report.FieldError for a missing or invalid field. It reads no
// files, and does not look for the program.
func (c Config) Check() error {
	switch {
	case c.Program == "":
		return report.WrongField("program", "is missing: set the absolute path of a program")
	case !filepath.IsAbs(c.Program) || strings.ContainsRune(c.Program, 0):
		return report.WrongField("program", "must be an absolute path, such as /usr/local/lib/nodewatch/notify")
	case c.Mode != "changes" && c.Mode != "state":
		return report.WrongField("mode", "%q is not allowed: must be changes or state", c.Mode)
	case len(c.Tell) == 0:
		return report.WrongField("tell", "must not be empty: nothing would be reported")
	case slices.ContainsFunc(c.Args, func(a string) bool { return strings.ContainsRune(a, 0) }):
		return report.WrongField("args", "contains a zero byte")
	}
	for _, word := range c.Tell {
		if !slices.Contains(changes.Kinds(), changes.Kind(word)) {
			return report.WrongField("tell", "%q is not allowed: must be one of raised worse blind milder seen passed cleared", word)
		}
	}
	for name, value := range c.Environment {
		if !variable.MatchString(name) || strings.ContainsRune(value, 0) {
			return report.WrongField("environment", "%q is not a variable", name)
		}
		if strings.HasPrefix(name, "NODEWATCH_") {
			return report.WrongField("environment", "%s is set by nodewatch", name)
		}
	}
	return nil
}
