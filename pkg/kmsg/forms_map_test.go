package kmsg

const fsid = "33b862db-5e43-43fb-927c-e4b2e2132a65"

// domain.md A.3: osdmap.c and mon_client.c. Up to 5.19 the lines have no mark of cluster and
// epoch.
var mapForms = []said{
	{"libceph: osd3 down", peer(OSDDown, "osd3", "", "")},
	{"libceph (" + fsid + " e11): osd3 down", peer(OSDDown, "osd3", "", "")},
	{"libceph: osd3 up", peer(OSDUp, "osd3", "", "")},
	{"libceph (" + fsid + " e11): osd3 up", peer(OSDUp, "osd3", "", "")},
	{"libceph: osd3 does not exist", peer(OSDGone, "osd3", "", "")},
	{"libceph (" + fsid + " e11): osd3 does not exist", peer(OSDGone, "osd3", "", "")},
	{"libceph: osd3 weight 0x10000 (in)", peer(OSDWeight, "osd3", "", "")},
	{"libceph: osd3 weight 0x0 (out)", peer(OSDWeight, "osd3", "", "")},
	{"libceph (" + fsid + " e11): osd3 weight 0x8000 ", peer(OSDWeight, "osd3", "", "")},
	{"libceph: osd3 primary-affinity 0x10000", peer(OSDWeight, "osd3", "", "primary-affinity")},
	{"libceph: osd3 downcast", peer(CephOther, "osd3", "", "")},
	{"libceph: mon3 down", peer(CephOther, "mon3", "", "")},
	{"libceph: corrupt full osdmap (-5) epoch 7 off 12 (0000 of 0001-0002)", Line{Class: MapCorrupt, Errno: -5, Detail: "osdmap"}},
	{"libceph: corrupt inc osdmap (-22) epoch 7 off 12 (0000 of 0001-0002)", Line{Class: MapCorrupt, Errno: -22, Detail: "osdmap"}},
	{"libceph: no crush rule: pool 5 ruleset 1 type 1 size 3", peer(NoOSD, "", "", "")},
	{"libceph: error -22 from crush rule 3: pool 5 ruleset 1 type 1 size 3", Line{Class: NoOSD, Errno: -22}},

	{"libceph: mon0 (1)192.0.2.1:6789 session lost, hunting for new mon", peer(MonLost, "mon0", mon, "")},
	{"libceph: mon0 192.0.2.1:6789 session lost, hunting for new mon", peer(MonLost, "mon0", mon, "")},
	{"libceph: mon0 (1)192.0.2.1:6789 session established", peer(MonFound, "mon0", mon, "")},
	{"libceph: mon0 192.0.2.1:6789 session established", peer(MonFound, "mon0", mon, "")},
	{"libceph: problem decoding monmap, -5", Line{Class: MapCorrupt, Errno: -5, Detail: "monmap"}},
	{"libceph: got corrupt subscribe-ack msg", peer(MapCorrupt, "", "", "reply")},
	{"libceph: corrupt mon_command ack, tid 5", peer(MapCorrupt, "", "", "reply")},
	{"libceph: client4141 fsid " + fsid, peer(ClientMade, "client4141", "", fsid)},
	{"libceph: client4141 fsid nonsense", peer(ClientMade, "client4141", "", "")},
	{"libceph: loaded (mon/osd proto 15/24)", peer(CephOther, "", "", "")},
	{"libceph: bad fsid, had " + fsid + " got " + fsid, peer(WrongCluster, "", "", "")},
	{"libceph: no match of type 2 in addrvec", peer(MapCorrupt, "", "", "addresses")},
	{"libceph: ", peer(CephOther, "", "", "")},
	{"libceph:", peer(CephOther, "", "", "")},
}

// domain.md A.3: osd_client.c.
var osdForms = []said{
	{"libceph: tid 8912 on osd3 timeout", peer(Timeout, "osd3", "", "")},
	{"libceph: FULL or reached pool quota", peer(Full, "", "", "")}, // 5.10
	{"libceph: cluster is full (osdmap FULL)", peer(Full, "", "", "cluster")},
	{"libceph: pool 5 is full or reached quota", peer(Full, "", "", "pool")},
	{"libceph: tid 8912 pool does not exist", peer(PoolGone, "", "", "")},
	{"libceph: linger_id 1 pool does not exist", peer(PoolGone, "", "", "")},
	{"libceph: failed to decode MOSDOpReply for tid 8912: -22 ", Line{Class: MapCorrupt, Errno: -22, Detail: "reply"}},
	{"libceph: osdc handle_map corrupt msg", peer(MapCorrupt, "", "", "osdmap")},
	{"libceph: handle_backoff_unblock osd3 spgid 1.0s0 id 5 backoff dne", peer(CephOther, "osd3", "", "")},
	{"libceph:  [0] got 0 extents", peer(SparseRead, "osd0", "", "")},
	{"libceph: [12] got 0 extents", peer(SparseRead, "osd12", "", "")},
	{"libceph: prepare_sparse_read_cont: ret 0x10000 total_resid 0x1000 resid 0x1000", peer(SparseRead, "", "", "")},
	{"libceph: prepare_sparse_read_cont: ino 0 data len 65536 != extent len 0", peer(SparseRead, "", "", "")},
	{"libceph: osd_sparse_read: failed to allocate 142248331 extents", peer(SparseRead, "", "", "")},
	{"libceph: invalid sparse extent map", peer(SparseRead, "", "", "")},
	{"libceph: get_reply osd7 tid 42 data 8192 > preallocated 4096, skipping", peer(ReplyDropped, "osd7", "", "")},
	{"libceph: get_reply osd7 tid 42 front 8192 > preallocated 4096", peer(CephOther, "osd7", "", "")},
	{"libceph: data len 142248331 != extent len 0", peer(SparseRead, "", "", "")},
	{"libceph: prep_next_sparse_read: sparse read of nothing", peer(SparseRead, "", "", "")},
	{"libceph: tid 8912 on mon3 timeout", peer(CephOther, "", "", "")},
}

// domain.md A.3: auth.c, auth_x.c.
var authForms = []said{
	{"libceph: auth method 'x' error -1", Line{Class: AuthFault, Errno: -1, Detail: "monitor"}}, // 5.10
	{"libceph: error -2 building auth method x request", Line{Class: AuthFault, Errno: -2, Detail: "request"}},
	{"libceph: error -5 on auth protocol 2 init", Line{Class: AuthFault, Errno: -5, Detail: "request"}},
	{"libceph: auth protocol 'cephx' mauth authentication failed: -13", Line{Class: AuthFault, Errno: -13, Detail: "monitor"}},
	{"libceph: auth protocol 'cephx' msgr authentication failed: -13", Line{Class: AuthFault, Errno: -13, Detail: "monitor"}},
	{"libceph: auth protocol 'cephx' authorization to osd failed: -13", Line{Class: AuthFault, Errno: -13, Detail: "osd"}},
	{"libceph: auth protocol 'cephx' not allowed", peer(AuthFault, "", "", "method")},
	{"libceph: auth protocol 'none' not allowed by osd", peer(AuthFault, "", "", "method")},
	{"libceph: auth protocol 'cephx' init failed: -12", Line{Class: AuthFault, Errno: -12, Detail: "request"}},
	{"libceph: auth protocol '???' building request failed: -22", Line{Class: AuthFault, Errno: -22, Detail: "request"}},
	{"libceph: preferred mode 'secure' not allowed", peer(AuthFault, "", "", "method")},
	{"libceph: no fallback mode", peer(AuthFault, "", "", "method")},
	{"libceph: fallback mode 'crc' not allowed", peer(AuthFault, "", "", "method")},
	{"libceph: global_id changed from 1 to 2", peer(AuthFault, "", "", "global_id")},
	{"libceph: no secret set (for auth_x protocol)", peer(AuthFault, "", "", "no key")},
	{"libceph: failed to authenticate server", peer(AuthFault, "", "", "server")},
}
