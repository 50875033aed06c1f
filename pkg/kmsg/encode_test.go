package kmsg

import (
	"fmt"
	"strings"
	"time"
)

// encode formats a record as the kernel does (kernel/printk/printk.c:
// info_print_ext_header, msg_add_ext_text).
func encode(r record) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%d,%d,%d,-;", r.Facility<<3|r.Level, r.Seq, r.Stamp/time.Microsecond)
	for _, c := range []byte(r.Text) {
		if c < ' ' || c >= 127 || c == '\\' {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	b.WriteByte('\n')
	return []byte(b.String())
}
