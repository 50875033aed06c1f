package libvirt

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"net"
	"sync"
	"testing"

	"github.com/digitalocean/go-libvirt"
)

// fakeDaemon is a fake libvirt daemon that speaks the protocol over pipes. Set it up
// before the first reading, or between two.
type fakeDaemon struct {
	mu      sync.Mutex
	domains []fakeDomain
	answer  map[uint32]func(call []byte) (packet []byte, hangUp bool) // replaces the usual reply to a procedure
	asked   map[uint32]int
	xmlOf   []string // names of the domains whose XML was requested
	dials   int
	flags   uint32 // flags of the latest statistics
	refuse  error  // addresses of every dial
}

type fakeDomain struct {
	name   string
	uuid   byte // the last byte of the UUID
	id     int32
	xml    string
	params []libvirt.TypedParam
}

func newVirtFake(domains ...fakeDomain) *fakeDaemon {
	return &fakeDaemon{domains: domains, answer: map[uint32]func([]byte) ([]byte, bool){}, asked: map[uint32]int{}}
}

// reader returns a Reader that is connected to the fake.
func (f *fakeDaemon) reader() *Reader {
	l := New([]string{"pipe"}, nil)
	l.dial = f.dial
	return l
}

func (f *fakeDaemon) dial(context.Context, string) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dials++
	if f.refuse != nil {
		return nil, f.refuse
	}
	client, server := net.Pipe()
	go f.serve(server)
	return client, nil
}

// on sets the reply to a procedure.
func (f *fakeDaemon) on(procedure uint32, answer func(call []byte) (packet []byte, hangUp bool)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if answer == nil {
		delete(f.answer, procedure)
		return
	}
	f.answer[procedure] = answer
}

func (f *fakeDaemon) serve(c net.Conn) {
	defer c.Close()
	for {
		var size [4]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		call := append(size[:], make([]byte, binary.BigEndian.Uint32(size[:])-4)...)
		if _, err := io.ReadFull(c, call[4:]); err != nil {
			return
		}
		packet, hangUp := f.handle(call)
		if len(packet) > 0 {
			if _, err := c.Write(packet); err != nil {
				return
			}
		}
		if hangUp {
			return
		}
	}
}

func (f *fakeDaemon) handle(call []byte) (packet []byte, hangUp bool) {
	procedure := binary.BigEndian.Uint32(call[12:])
	f.mu.Lock()
	f.asked[procedure]++
	if procedure == getXMLDesc {
		f.xmlOf = append(f.xmlOf, f.domain(call).name)
	}
	answer := f.answer[procedure]
	f.mu.Unlock()
	if answer != nil {
		return answer(call) // without the lock, as it may block
	}
	var x fakeXDR
	switch procedure {
	case authList:
		x.number(1)
		x.number(0) // none
	case eventRegister:
		x.number(uint32(f.asked[procedure])) // the callback's ID
	case listDomains:
		x.number(uint32(len(f.domains)))
		for _, d := range f.domains {
			x.domain(d)
		}
		x.number(uint32(len(f.domains)))
	case getXMLDesc:
		x.text(f.domain(call).xml)
	case getAllStats:
		f.flags = binary.BigEndian.Uint32(call[len(call)-4:])
		x.number(uint32(len(f.domains)))
		for _, d := range f.domains {
			x.domain(d)
			x.params(d.params)
		}
	}
	return fakeReply(call, statusOK, x.b), false
}

// domain returns the domain of a call, by its ID, with which every
// remote_nonnull_domain ends, before the flags.
func (f *fakeDaemon) domain(call []byte) fakeDomain {
	id := int32(binary.BigEndian.Uint32(call[len(call)-8:]))
	for _, d := range f.domains {
		if d.id == id {
			return d
		}
	}
	return fakeDomain{}
}

// fakeReply encodes the reply to a call.
func fakeReply(call []byte, status uint32, payload []byte) []byte {
	p := binary.BigEndian.AppendUint32(nil, uint32(headLen+len(payload)))
	p = append(p, call[4:16]...) // program, version, procedure
	p = binary.BigEndian.AppendUint32(p, typeReply)
	p = append(p, call[20:24]...) // serial
	p = binary.BigEndian.AppendUint32(p, status)
	return append(p, payload...)
}

// fakeEvent encodes a message about a domain.
func fakeEvent(procedure uint32, d fakeDomain) []byte {
	var x fakeXDR
	x.number(1) // the callback's ID
	x.domain(d)
	p := binary.BigEndian.AppendUint32(nil, uint32(headLen+len(x.b)))
	for _, n := range []uint32{remoteProgram, 1, procedure, typeNotice, 0, statusOK} {
		p = binary.BigEndian.AppendUint32(p, n)
	}
	return append(p, x.b...)
}

// fakeError encodes one of libvirt's errors as the reply to a call.
func fakeError(code libvirt.ErrorNumber, message string) func([]byte) ([]byte, bool) {
	return func(call []byte) ([]byte, bool) {
		var x fakeXDR
		x.number(uint32(code))
		x.number(10)
		x.number(1)
		x.text(message)
		x.number(2)
		return fakeReply(call, statusError, x.b), false
	}
}

// fakeXDR encodes XDR.
type fakeXDR struct{ b []byte }

func (x *fakeXDR) number(n uint32) { x.b = binary.BigEndian.AppendUint32(x.b, n) }

func (x *fakeXDR) text(s string) {
	x.number(uint32(len(s)))
	x.b = append(x.b, s...)
	x.b = append(x.b, make([]byte, -len(s)&3)...)
}

func (x *fakeXDR) domain(d fakeDomain) {
	x.text(d.name)
	x.b = append(x.b, append(make([]byte, 15), d.uuid)...)
	x.number(uint32(d.id))
}

func (x *fakeXDR) params(params []libvirt.TypedParam) {
	x.number(uint32(len(params)))
	for _, p := range params {
		x.text(p.Field)
		x.number(p.Value.D)
		switch v := p.Value.I.(type) {
		case int32:
			x.number(uint32(v))
		case uint32:
			x.number(v)
		case uint64:
			x.b = binary.BigEndian.AppendUint64(x.b, v)
		case string:
			x.text(v)
		}
	}
}

// param encodes a typed parameter.
func param(field string, value any) libvirt.TypedParam {
	p := libvirt.TypedParam{Field: field}
	switch v := value.(type) {
	case int32:
		p.Value = *libvirt.NewTypedParamValueInt(v)
	case uint32:
		p.Value = *libvirt.NewTypedParamValueUint(v)
	case uint64:
		p.Value = *libvirt.NewTypedParamValueUllong(v)
	case string:
		p.Value = *libvirt.NewTypedParamValueString(v)
	}
	return p
}

// fakeVM returns a running domain with one disk, and its statistics.
func fakeVM(name string, id int32, source string) fakeDomain {
	return fakeDomain{
		name: name, uuid: byte(id), id: id,
		xml: "<domain><name>" + name + "</name><devices><disk type='block'><source dev='" + source +
			"'/><target dev='vda'/></disk></devices></domain>",
		params: []libvirt.TypedParam{
			param("state.state", int32(1)), param("state.reason", int32(1)),
			param("block.count", uint32(1)),
			param("block.0.name", "vda"), param("block.0.path", source), param("block.0.backingIndex", uint32(1)),
			param("block.0.rd.reqs", uint64(10)), param("block.0.rd.bytes", uint64(4096)),
			param("block.0.wr.reqs", uint64(20)), param("block.0.wr.bytes", uint64(8192)),
			param("block.0.fl.reqs", uint64(3)), param("block.0.capacity", uint64(1<<30)),
		},
	}
}

// hang never replies.
func hang([]byte) ([]byte, bool) { return nil, false }

// checkErr fails the test unless err matches the target.
func checkErr(t *testing.T, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: got %v, want %v", what, err, kind)
	}
	if errors.Is(err, fs.ErrNotExist) && errors.Is(err, fs.ErrPermission) {
		t.Errorf("%s: both absent and denied: %v", what, err)
	}
}
