package kmsg

import "testing"

// TestSessionReason: a session that is lost or refused is counted once, by its
// reason, whatever lines the kernel adds.
func TestSessionReason(t *testing.T) {
	for _, c := range []struct {
		lines   []string
		want    Reason
		refused bool
	}{
		{[]string{"libceph: read_partial_message 000000001aeb2407 data crc 1 != exp. 2",
			"libceph: osd1 (1)192.0.2.5:6801 bad crc/signature"}, ReasonCRC, false},
		{[]string{"libceph: read_partial_message 000000001aeb2407 signature check failed",
			"libceph: osd1 (1)192.0.2.5:6801 bad crc/signature"}, ReasonAuthTag, false},
		{[]string{"libceph: osd1 (2)192.0.2.5:6801 integrity error, bad epilogue auth tag"}, ReasonAuthTag, false},
		{[]string{"libceph: bad tag 69", "libceph: osd1 (2)192.0.2.5:6801 protocol error, bad tag"}, ReasonProtocol, false},
		{[]string{"libceph: bad late_status 0x3", "libceph: osd1 (2)192.0.2.5:6801 protocol error, bad epilogue"}, ReasonProtocol, false},
		{[]string{"libceph: failed to decode message header", "libceph: osd1 (2)192.0.2.5:6801 read processing error"},
			ReasonProtocol, false},
		{[]string{"libceph: osd1 (1)192.0.2.5:6801 io error"}, ReasonProtocol, false},
		{[]string{"libceph: read_partial_message bad seq 12 expected 11",
			"libceph: osd1 (1)192.0.2.5:6801 bad message sequence # for incoming message"}, ReasonSequence, false},
		{[]string{"libceph: invalid sparse extent map", "libceph: osd1 (2)192.0.2.5:6801 read processing error"}, ReasonSparseRead, false},
		{[]string{"libceph: osd_sparse_read: failed to allocate 142248331 extents", "libceph: osd1 (1)192.0.2.5:6801 socket error on read"},
			ReasonSparseRead, false},
		{[]string{"libceph: failed to allocate bounce page", "libceph: osd1 (2)192.0.2.5:6801 read processing error"}, ReasonMemory, false},
		{[]string{"libceph: osd1 (1)192.0.2.5:6801 error allocating memory for incoming message"}, ReasonMemory, false},
		{[]string{"libceph: osd1 (1)192.0.2.5:6801 socket closed (con state OPEN)"}, ReasonClosed, false},
		{[]string{"libceph: osd1 (1)192.0.2.5:6801 socket error on write"}, ReasonSocket, false},
		{[]string{"libceph: osd1 (2)192.0.2.5:6801 write processing error"}, ReasonSocket, false},
		{[]string{"libceph: osd1 (1)192.0.2.5:6801 session reset"}, ReasonReset, false},
		{[]string{"libceph: osd1 (2)192.0.2.5:6801 socket closed (con state V2_BANNER_PREFIX)"}, ReasonClosedEarly, true},
		{[]string{"libceph: connect (1)192.0.2.5:6801 error -113", "libceph: osd1 (1)192.0.2.5:6801 connect error"}, ReasonConnect, true},
		{[]string{"libceph: osd1 (1)192.0.2.5:6801 bad authorize reply"}, ReasonAuthentication, true},
		{[]string{"libceph: osd1 (1)192.0.2.5:6801 connect authorization failure"}, ReasonAuthentication, true},
		{[]string{"libceph: auth protocol 'cephx' authorization to osd failed: -13",
			"libceph: osd1 (2)192.0.2.5:6801 read processing error"}, ReasonAuthentication, true},
		{[]string{"libceph: osd1 (1)192.0.2.5:6801 feature set mismatch, my 2f < server's 8000002f, missing 80000000",
			"libceph: osd1 (1)192.0.2.5:6801 missing required protocol features"}, ReasonFeatures, true},
		{[]string{"libceph: RADOS feature set mismatch: server's required > my supported 0x1, missing 0x2",
			"libceph: osd1 (2)192.0.2.5:6801 missing required protocol features"}, ReasonFeatures, true},
		{[]string{"libceph: osd1 (1)192.0.2.5:6801 protocol version mismatch, my 24 != server's 23",
			"libceph: osd1 (1)192.0.2.5:6801 protocol version mismatch"}, ReasonVersion, true},
		{[]string{"libceph: osd1 (2)192.0.2.5:6801 server is speaking msgr1 protocol"}, ReasonVersion, true},
		{[]string{"libceph: wrong peer, want (1)192.0.2.5:6801/1234, got (1)192.0.2.5:6801/99",
			"libceph: osd1 (1)192.0.2.5:6801 wrong peer at address"}, ReasonWrongPeer, true},
	} {
		n := 0
		for _, got := range tallied(c.lines...).Counts {
			reason := SessionReason(got.Class, got.Detail)
			if reason == "" {
				continue
			}
			n++
			if reason != c.want || reason.Refused() != c.refused || got.Peer != "osd1" || got.Addr != "192.0.2.5:6801" {
				t.Errorf("%q: got %s of %s at %s, refused %t; want %s, %t", c.lines, reason, got.Peer, got.Addr, reason.Refused(),
					c.want, c.refused)
			}
		}
		if n != 1 {
			t.Errorf("%q: got %d lost sessions, want 1", c.lines, n)
		}
	}
}
