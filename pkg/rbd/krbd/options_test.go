package krbd

import (
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

func TestParseOptions(t *testing.T) {
	tests := map[string]rbd.Options{
		"":                             {},
		"name=admin,secret=<hidden>\n": {},
		"name=admin,secret=<hidden>,ms_mode=crc,noshare\n": {MSMode: "crc",
			NoShare: true},
		"name=a,crush_location=rack:r1|host:h,read_from_replica=localize,ms_mode=prefer-crc,nocrc,rxbounce,fsid=x": {RxBounce: true,
			MSMode: "prefer-crc", NoCRC: true, ReadFrom: "localize"},
		"osd_request_timeout=60,mount_timeout=30,osdkeepalivetimeout=5,abort_on_full": {RequestTimeout: time.Minute, AbortOnFull: true},
		"osd_request_timeout=2147483647":                                              {RequestTimeout: 2147483647 * time.Second},
		"osd_request_timeout=2147483648":                                              {},
		"osd_request_timeout=-1":                                                      {},
		"nocrc,crc,noshare,share":                                                     {},
		"ms_mode=quantum,read_from_replica=x": {MSMode: "other",
			ReadFrom: "other"},
		"read_from_replica=no,ms_mode=secure": {MSMode: "secure",
			ReadFrom: "no"},
		"name=rxbounce,norxbounce,rxbounces": {},
		",,=,=x,rxbounce=yes":                {RxBounce: true},
	}
	for text, want := range tests {
		if diff := cmp.Diff(want, ParseOptions(text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// A brokenFS returns an error when some files are opened.
type brokenFS struct {
	fs.FS
	errs map[string]error // error by suffix of the name
}

func (b brokenFS) Open(name string) (fs.File, error) {
	for end, err := range b.errs {
		if strings.HasSuffix(name, end) {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
	return b.FS.Open(name)
}

func TestOptionsThatCannotBeRead(t *testing.T) {
	noClient := oneDevice(nil)
	delete(noClient, debugfs+"/"+testFSID+".client4123/client_options")
	noClient[debugfs] = &fstest.MapFile{Mode: fs.ModeDir | 0o700}
	notMounted := oneDevice(nil)
	delete(notMounted, debugfs+"/"+testFSID+".client4123/client_options")
	tests := map[string]struct {
		sys  fs.FS
		want string
	}{
		"denied":      {brokenFS{oneDevice(nil), map[string]error{"client_options": syscall.EACCES}}, "debugfs: permission denied"},
		"locked down": {brokenFS{oneDevice(nil), map[string]error{"client_options": syscall.EPERM}}, "debugfs: operation not permitted"},
		"no client":   {noClient, "debugfs has no entry of this client"},
		"not mounted": {notMounted, "debugfs is not mounted"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := readMapped(tt.sys)
			if err != nil {
				t.Fatal(err)
			}
			want := oneWant(func(m *rbd.Mapped) { m.Options, m.OptionsErr = nil, tt.want })
			if diff := cmp.Diff([]rbd.Mapped{want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzParseOptions: no part of the result contains a secret from the options,
// whatever is around it, and the kernel could produce the result.
func FuzzParseOptions(f *testing.F) {
	f.Add("name=admin", "ms_mode=crc,noshare\n")
	f.Add("name=admin,secret=<hidden>,rxbounce", "osd_request_timeout=60")
	f.Add("ms_mode=", "=read_from_replica")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "AQBPlantedPlanted=="
		for _, text := range []string{
			before + ",secret=" + secret + "," + after, before + "key=" + secret + after, before + secret + after,
		} {
			o := ParseOptions(text)
			if strings.Contains(fmt.Sprintf("%+v", o), "Planted") {
				t.Fatalf("%q shows in %+v", text, o)
			}
			if o.RequestTimeout < 0 || o.RequestTimeout%time.Second != 0 {
				t.Fatalf("%q times out after %v", text, o.RequestTimeout)
			}
		}
	})
}
