package qemu

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// Limits on one option of a command line.
const (
	jsonDepth = 32
	optsMax   = 4096
)

// optionSet are the properties of one option, by dotted name (file.driver,
// limits.bps-read), whether it was written as key=value,... or as JSON. It keeps only
// the names in wanted, and a quorum's children, so it contains no password, key or
// user.
type optionSet map[string]string

// wanted are the last components of the names to keep.
var wanted = map[string]bool{
	"driver": true, "node-name": true, "qom-type": true, "id": true, "file": true, "filename": true, "backing": true, "data-file": true,
	"pool": true, "namespace": true, "image": true, "snapshot": true,
	"if": true, "unit": true, "index": true, "drive": true, "throttle-group": true,
	"guest": true, "base": true, "chardev": true, "path": true, "socket": true, "type": true, "mountpoint": true,
	"bps": true, "bps_rd": true, "bps_wr": true, "iops": true, "iops_rd": true, "iops_wr": true,
	"bps-total": true, "bps-read": true, "bps-write": true, "iops-total": true, "iops-read": true, "iops-write": true,
	"x-bps-total": true, "x-bps-read": true, "x-bps-write": true, "x-iops-total": true, "x-iops-read": true, "x-iops-write": true,
}

var (
	errQEMUJSON = errors.New("not JSON")
	errQEMUDeep = errors.New("nested too deeply")
	errQEMULong = errors.New("too many properties")
)

// parseOptions parses an option in either form. implied is the name of a first value
// without a name.
func parseOptions(s, implied string) (optionSet, error) {
	if strings.HasPrefix(s, "{") {
		return flatten([]byte(s))
	}
	o := optionSet{}
	for n := 0; s != ""; n++ {
		if n == optsMax {
			return nil, errQEMULong
		}
		var item string
		item, s = optionItem(s)
		name, value, hasValue := strings.Cut(item, "=")
		if !hasValue {
			if n > 0 {
				continue // a bare flag
			}
			name, value = implied, item
		}
		o.keep(name, value)
	}
	return o, nil
}

// optionItem returns the first item of a comma-separated list, with doubled commas in
// it reduced to one, and the rest.
func optionItem(s string) (item, rest string) {
	for i := 0; i < len(s); i++ {
		if s[i] != ',' {
			continue
		}
		if i+1 < len(s) && s[i+1] == ',' {
			i++
			continue
		}
		return strings.ReplaceAll(s[:i], ",,", ","), s[i+1:]
	}
	return strings.ReplaceAll(s, ",,", ","), ""
}

func (o optionSet) keep(name, value string) {
	last := strings.LastIndexByte(name, '.') + 1
	if wanted[name[last:]] || naming.Digits(name[last:]) && strings.HasSuffix("."+name[:last], ".children.") {
		o[name] = value
	}
}

// number returns the value of the first of the names that is a number above 0.
func (o optionSet) number(names ...string) uint64 {
	for _, name := range names {
		if n, err := strconv.ParseUint(o[name], 10, 64); err == nil && n > 0 {
			return n
		}
	}
	return 0
}

// flatten converts a JSON object into dotted names. It bounds nesting and the number
// of elements.
func flatten(data []byte) (optionSet, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	f := flattener{options: optionSet{}}
	for {
		token, err := d.Token()
		if err != nil {
			return nil, errQEMUJSON // an error of encoding/json may quote the text
		}
		if err := f.take(token); err != nil {
			return nil, err
		}
		if len(f.stack) == 0 {
			break
		}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errQEMUJSON
	}
	return f.options, nil
}

// A flattener follows JSON's tokens and tracks the dotted name of the next value.
type flattener struct {
	options optionSet
	stack   []levelOf
	count   int
}

// A levelOf is an open object or array.
type levelOf struct {
	prefix string // its dotted name and a dot; empty at the top level
	array  bool
	index  int    // index of the next element of an array
	key    string // key of the next value in an object; empty: a key comes next
}

func (f *flattener) take(token json.Token) error {
	if f.count++; f.count > optsMax*4 {
		return errQEMULong
	}
	delim, isDelim := token.(json.Delim)
	if isDelim && (delim == '}' || delim == ']') {
		f.stack = f.stack[:len(f.stack)-1]
		f.done()
		return nil
	}
	if len(f.stack) == 0 {
		if delim != '{' {
			return errQEMUJSON
		}
		f.stack = append(f.stack, levelOf{})
		return nil
	}
	return f.value(token, delim)
}

// value processes a key, a plain value, or the opening of an object or array.
func (f *flattener) value(token json.Token, delim json.Delim) error {
	top := &f.stack[len(f.stack)-1]
	if !top.array && top.key == "" {
		key, _ := token.(string)
		if top.key = key; key == "" {
			top.key = "?" // no option has an empty name
		}
		return nil
	}
	name := top.prefix + top.key
	if top.array {
		name = top.prefix + strconv.Itoa(top.index)
	}
	if delim != 0 {
		if len(f.stack) >= jsonDepth {
			return errQEMUDeep
		}
		f.stack = append(f.stack, levelOf{prefix: name + ".", array: delim == '['})
		return nil
	}
	switch v := token.(type) {
	case string:
		f.options.keep(name, v)
	case json.Number:
		f.options.keep(name, v.String())
	}
	f.done()
	return nil
}

// done records that the current value or element has been read.
func (f *flattener) done() {
	if len(f.stack) == 0 {
		return
	}
	top := &f.stack[len(f.stack)-1]
	top.index++
	top.key = ""
}

// parseFault names an option that could not be parsed, without quoting it.
func parseFault(option string, nth int, err error) error {
	return fmt.Errorf("-%s no. %d: %w", option, nth, err)
}
