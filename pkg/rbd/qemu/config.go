package qemu

import "strings"

// config parses a QEMU configuration file (-readconfig): the options of the command
// line, one per section.
//
//	[drive "disk0"]
//	  file = "rbd:vms/db1"
func (c *commandLine) config(text string) {
	section, o := "", optionSet{}
	for n := 0; text != "" && n < optsMax*4; n++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		line = strings.TrimSpace(line)
		if head, ok := strings.CutPrefix(line, "["); ok {
			c.section(section, o)
			head, _, _ = strings.Cut(head, "]")
			name, id, _ := strings.Cut(head, `"`)
			section, o = strings.TrimSpace(name), optionSet{}
			if id, _, _ = strings.Cut(id, `"`); id != "" {
				o["id"] = id
			}
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if ok && !strings.HasPrefix(line, "#") {
			o.keep(strings.TrimSpace(key), configValue(value))
		}
	}
	c.section(section, o)
}

// configValue returns what stands between the quotes: QEMU does not look at what
// comes behind them.
func configValue(value string) string {
	value = strings.TrimSpace(value)
	if quoted, ok := strings.CutPrefix(value, `"`); ok {
		value, _, _ = strings.Cut(quoted, `"`)
	}
	return value
}

// section takes one section of a configuration file.
func (c *commandLine) section(name string, o optionSet) {
	switch name {
	case "":
	case "rtc":
		c.hints.Local = o["base"] == "localtime"
	default:
		c.option(name, o)
	}
}
