package qemu

import "strings"

// config reads a configuration file of QEMU's (-readconfig): options as on the
// command line, one to a section.
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
			name, id, _ := strings.Cut(strings.TrimSuffix(head, "]"), " ")
			section, o = name, optionSet{}
			if id = strings.Trim(id, `"`); id != "" {
				o["id"] = id
			}
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if ok && !strings.HasPrefix(line, "#") {
			o.keep(strings.TrimSpace(key), strings.Trim(strings.TrimSpace(value), `"`))
		}
	}
	c.section(section, o)
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
