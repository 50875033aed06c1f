// Package call is the protocol between the lab's tests and the agent in the guest:
// requests and responses as JSON over a serial line, each after its length.
package call

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Port is the name of the virtio-serial port.
const Port = "nodewatch.lab"

// maxMessage is the maximum size of a message, in bytes.
const maxMessage = 64 << 20

// A Request is a request to the agent. Responses may arrive in any order.
type Request struct {
	ID  uint64 `json:"id"`
	Run *Run   `json:"run,omitempty"`
	Get string `json:"get,omitempty"` // URL to be fetched within the guest
	Put *File  `json:"put,omitempty"` // file to be written
}

// A Run is a command to run to its end.
type Run struct {
	Argv    []string `json:"argv"`
	Seconds int      `json:"seconds"` // the command is killed after this time
}

// A File is a file with its content.
type File struct {
	Path string `json:"path"`
	Mode uint32 `json:"mode"`
	Body []byte `json:"body"`
}

// An Answer is the result of the request with the same ID.
type Answer struct {
	ID    uint64    `json:"id"`
	Began time.Time `json:"began"` // when the request came in, by the guest's clock
	Code  int       `json:"code"`  // exit code, or HTTP status
	Out   []byte    `json:"out,omitempty"`
	Err   []byte    `json:"err,omitempty"`   // standard error of a command
	Error string    `json:"error,omitempty"` // why the request could not be executed
}

// Write writes one message.
func Write(w io.Writer, message any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("call: %w", err)
	}
	if len(body) > maxMessage {
		return fmt.Errorf("call: a message of %d bytes", len(body))
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	return err
}

// Read reads one message.
func Read(r io.Reader, message any) error {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxMessage {
		return fmt.Errorf("call: a message of %d bytes", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	if err := json.Unmarshal(body, message); err != nil {
		return fmt.Errorf("call: %w", err)
	}
	return nil
}
