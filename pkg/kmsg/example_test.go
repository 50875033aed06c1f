package kmsg_test

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

func ExampleClassify() {
	l := kmsg.Classify("libceph: osd12 (1)192.0.2.5:6801 socket closed (con state OPEN)")
	fmt.Println(l.Class, l.Peer, l.Addr)
	l = kmsg.Classify("rbd: rbd3: encountered watch error: -107")
	fmt.Println(l.Class, l.Device, l.Errno)
	// Output:
	// closed-open osd12 192.0.2.5:6801
	// rbd-watch rbd3 -107
}

func ExampleReadBatch() {
	const log = `3,2954,34053844,-;libceph: read_partial_message 000000001aeb2407 data crc 1 != exp. 2
4,2955,34054844,-;libceph: osd1 (1)192.0.2.5:6801 bad crc/signature
4,2958,34112004,-;libceph: osd1 (1)192.0.2.5:6801 bad crc/signature
`
	b := kmsg.ReadBatch(log, time.Date(2026, 11, 20, 14, 17, 0, 0, time.UTC), false)
	for _, c := range b.Counts {
		fmt.Printf("%s %d %s of %s: %q\n", c.First.Format(time.TimeOnly), c.N, c.Class, c.Peer, c.Detail)
	}
	fmt.Println(b.Lost, "lost")
	// Output:
	// 14:17:34 1 crc-fault of osd1: "data"
	// 14:17:34 1 crc-fault of osd1: ""
	// 2 lost
}
