package reporttest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
)

// plain returns a response that needs no deadline to pass.
func plain(h http.HandlerFunc) func(func()) http.HandlerFunc {
	return func(func()) http.HandlerFunc { return h }
}

// hang sends the given start of a body, if any, and then stops; the client's deadline
// passes at that moment.
func hang(start string) func(func()) http.HandlerFunc {
	return func(giveUp func()) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client has gone
			if start != "" {
				_, _ = io.WriteString(w, start)
				_ = http.NewResponseController(w).Flush()
			}
			giveUp()
			<-r.Context().Done()
		}
	}
}

// raw responds with bytes that need not be HTTP, and closes the connection, with a
// reset or normally.
func raw(text string, reset bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, text)
		if l, ok := c.(interface{ SetLinger(int) error }); ok && reset {
			_ = l.SetLinger(0)
		}
		_ = c.Close()
	}
}

// Reply responds to every request with the code and the body.
func Reply(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// JSON responds with the code and with v as JSON.
func JSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

// Strict decodes a JSON body like a service that rejects unknown fields.
func Strict(body []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}

// long responds with that many bytes, or as many as the client takes before it
// disconnects.
func long(size int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _ = fill(w, size) }
}

// longHeader responds with a header line of 1 MiB, or as much of it as the client takes.
func longHeader(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX-Long: ")
	_ = fill(c, 1<<20)
	_ = c.Close()
}

// fill writes size bytes in small pieces, until a write fails.
func fill(w io.Writer, size int) (err error) {
	piece := bytes.Repeat([]byte("x"), 32<<10)
	for ; size > 0 && err == nil; size -= len(piece) {
		_, err = w.Write(piece[:min(size, len(piece))])
	}
	return err
}

// refuse responds with the code and echoes the request.
func refuse(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		received, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10))
		if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "30")
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, r.URL.String()+" "+r.Header.Get("Authorization")+" ")
		_, _ = w.Write(received)
	}
}
