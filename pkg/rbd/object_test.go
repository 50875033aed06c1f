package rbd

import "testing"

func TestImageOfAnObject(t *testing.T) {
	for object, want := range map[string]string{
		"rbd_data.1018b972e385.0000000000000000":       "1018b972e385",
		"rbd_data.3.1018b972e385.00000000000000ff":     "1018b972e385", // with a data pool
		"tenant/rbd_data.1018b972e385.00":              "1018b972e385",
		"rbd_header.1018b972e385":                      "1018b972e385",
		"rbd_object_map.1018b972e385":                  "1018b972e385",
		"rbd_object_map.1018b972e385.0000000000000004": "1018b972e385", // of a snapshot
		"rbd_id.vm-101-disk-0":                         "",
		"rbd_data.1018b972e385":                        "",
		"rb.0.1234.238e1f29.000000000000":              "rb.0.1234.238e1f29", // format 1
		"ns/rb.0.1234.238e1f29.00000000002a":           "rb.0.1234.238e1f29",
		"web.disk.rbd":                                 "web.disk.rbd", // its header
		".rbd":                                         "", "rb.0.1": "",
		"10000000000.00000000": "", // CephFS
		"rbd_data":             "",
		"":                     "", ".": "", "/": "",
	} {
		if got := (Request{Object: object}).Image(); got != want {
			t.Errorf("%s: got %q, want %q", object, got, want)
		}
	}
}

func TestSpec(t *testing.T) {
	for want, m := range map[string]Mapped{
		"vms/vm-101-disk-0":            {Pool: "vms", Image: "vm-101-disk-0"},
		"vms/tenant/vm-101-disk-0@day": {Pool: "vms", Namespace: "tenant", Image: "vm-101-disk-0", Snapshot: "day"},
	} {
		if got := m.Spec(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
