package call_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/test/lab/call"
)

func TestMessagesComeOutAsTheyWentIn(t *testing.T) {
	var line bytes.Buffer
	sent := []call.Answer{{ID: 1, Code: 3, Out: []byte{0, 255, '\n'}, Err: []byte("no")}, {ID: 2, Error: "gone"}}
	for _, a := range sent {
		if err := call.Write(&line, a); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range sent {
		var got call.Answer
		if err := call.Read(&line, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if err := call.Read(&line, new(call.Answer)); !errors.Is(err, io.EOF) {
		t.Errorf("want the end, got %v", err)
	}
}

func TestReadRefusesWhatIsTooLong(t *testing.T) {
	if err := call.Read(bytes.NewReader([]byte{0xff, 0xff, 0xff, 0xff, '{'}), new(call.Answer)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("want an error, got %v", err)
	}
}

func TestReadTellsAHalfMessageFromTheEnd(t *testing.T) {
	if err := call.Read(bytes.NewReader([]byte{0, 0, 0, 9, '{'}), new(call.Answer)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("want an unexpected end, got %v", err)
	}
}
