package heartbeat_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A contract is a service's reaction to a request: the code, the body, and the node's
// new state: up, down, or unchanged ("").
type contract func(q *http.Request, body string) (code int, answer, node string)

// A service follows a contract and stores the node's state.
type service struct {
	contract contract
	node     string
	header   http.Header
}

// ServeHTTP implements http.Handler.
func (s *service) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	raw, _ := io.ReadAll(q.Body)
	code, answer, node := s.contract(q, string(raw))
	if node != "" {
		s.node = node
	}
	for name, values := range s.header {
		w.Header()[name] = values
	}
	w.WriteHeader(code)
	_, _ = io.WriteString(w, answer)
}

// contracts are the services' contracts, by preset.
func contracts() map[string]contract {
	return map[string]contract{
		"healthchecks": healthchecks, "uptimekuma": kuma, "gatus": gatus, "betterstack": betterStack,
		"oneuptime": oneUptime, "kener": kener, "plain": plain,
	}
}

// healthchecks responds like a self-hosted instance.
func healthchecks(q *http.Request, _ string) (int, string, string) {
	path := strings.Split(strings.Trim(q.URL.Path, "/"), "/")
	if !slices.Contains([]string{"GET", "HEAD", "POST"}, q.Method) {
		return 405, "", ""
	}
	code, answer := 200, "OK"
	switch {
	case path[0] == token:
		path = path[1:]
	case path[0] == "pingkey0000000000000001" && len(path) > 1 && path[1] == "twice":
		return 409, "ambiguous slug", ""
	case path[0] == "pingkey0000000000000001" && len(path) > 1 && path[1] == "node2":
		path = path[2:]
	case path[0] == "pingkey0000000000000001" && len(path) > 1 && q.URL.Query().Get("create") == "1":
		path, code, answer = path[2:], 201, "Created"
	default:
		return 404, "not found", ""
	}
	switch {
	case len(path) == 0:
		return code, answer, "up"
	case path[0] == "fail":
		return code, answer, "down"
	case path[0] == "log", path[0] == "start":
		return code, answer, ""
	}
	if n, err := strconv.Atoi(path[0]); err == nil && n <= 255 {
		return code, answer, map[bool]string{true: "up", false: "down"}[n == 0]
	}
	return 400, "invalid url format", ""
}

func kuma(q *http.Request, _ string) (int, string, string) {
	if q.URL.Path != "/api/push/"+token {
		return 404, `{"ok":false,"msg":"Monitor not found or not active."}`, ""
	}
	if ping := q.URL.Query().Get("ping"); ping != "" {
		if n, err := strconv.ParseFloat(ping, 64); err != nil || n < 0 || n > 1e11 {
			return 404, `{"ok":false,"msg":"Invalid ping value."}`, ""
		}
	}
	if q.URL.Query().Get("status") == "up" || !q.URL.Query().Has("status") {
		return 200, `{"ok":true}`, "up"
	}
	return 200, `{"ok":true}`, "down"
}

func gatus(q *http.Request, body string) (int, string, string) {
	success := q.URL.Query().Get("success")
	switch {
	case q.Method != "POST":
		return 405, "Method Not Allowed", ""
	case success != "true" && success != "false":
		return 400, "missing or invalid success query parameter", ""
	case q.URL.Path != "/api/v1/endpoints/rl1---more_node-2--storage/external":
		return 404, "not found", ""
	case q.Header.Get("Authorization") != "Bearer "+token:
		return 401, "invalid token", ""
	case body != "":
		return 400, "query parameters only", ""
	}
	return 200, "", map[bool]string{true: "up", false: "down"}[success == "true"]
}

func betterStack(q *http.Request, _ string) (int, string, string) {
	switch strings.TrimPrefix(q.URL.Path, "/api/v1/heartbeat/"+token) {
	case "":
		return 200, "", "up"
	case "/fail":
		return 200, "", "down"
	}
	return 404, "", ""
}

// oneUptime responds before it checks: the response to a wrong key is the same.
func oneUptime(q *http.Request, body string) (int, string, string) {
	switch {
	case !strings.HasPrefix(q.URL.Path, "/heartbeat/"):
		return 404, "", ""
	case q.URL.Path != "/heartbeat/"+token:
		return 200, "", ""
	case strings.Contains(body, "error"):
		return 200, "", "down"
	}
	return 200, "", "up"
}

func kener(q *http.Request, _ string) (int, string, string) {
	if q.URL.Path != "/ext/heartbeat/rl1-node2/"+token {
		return 400, `{"error":"Invalid heartbeat"}`, ""
	}
	return 200, `{"status":"OK"}`, "up"
}

func plain(q *http.Request, _ string) (int, string, string) {
	switch q.URL.Path {
	case "/up/" + token:
		return 204, "", "up"
	case "/down/" + token:
		return 204, "", "down"
	}
	return 404, "", ""
}

// Each rule of the contracts behaves as the notes describe.
func TestTheContracts(t *testing.T) {
	bearer := http.Header{"Authorization": {"Bearer " + token}}
	key := "/api/v1/endpoints/rl1---more_node-2--storage/external"
	for _, c := range []struct {
		preset, method, url, body string
		header                    http.Header
		code                      int
		node                      string
	}{
		{"healthchecks", "PUT", "/" + token, "", nil, 405, ""},
		{"healthchecks", "GET", "/other", "", nil, 404, ""},
		{"healthchecks", "GET", "/" + token + "/256", "", nil, 400, ""},
		{"healthchecks", "GET", "/" + token + "/7", "", nil, 200, "down"},
		{"healthchecks", "GET", "/" + token + "/log", "", nil, 200, ""},
		{"healthchecks", "GET", "/pingkey0000000000000001/twice", "", nil, 409, ""},
		{"healthchecks", "GET", "/pingkey0000000000000001/new", "", nil, 404, ""},
		{"healthchecks", "GET", "/pingkey0000000000000001/new?create=1", "", nil, 201, "up"},
		{"uptimekuma", "GET", "/api/push/other?status=up", "", nil, 404, ""},
		{"uptimekuma", "GET", "/api/push/" + token + "?status=UP", "", nil, 200, "down"},
		{"uptimekuma", "GET", "/api/push/" + token + "?status=up&ping=-1", "", nil, 404, ""},
		{"gatus", "GET", key + "?success=true", "", bearer, 405, ""},
		{"gatus", "POST", key, "", bearer, 400, ""},
		{"gatus", "POST", key + "?success=yes", "", bearer, 400, ""},
		{"gatus", "POST", key + "?success=true", "", nil, 401, ""},
		{"gatus", "POST", key + "?success=true", "x", bearer, 400, ""},
		{"gatus", "POST", "/api/v1/endpoints/other/external?success=true", "", bearer, 404, ""},
		{"betterstack", "POST", "/api/v1/heartbeat/other", "", nil, 404, ""},
		{"oneuptime", "POST", "/heartbeat/other", "error", nil, 200, ""},
		{"oneuptime", "POST", "/beat/" + token, "", nil, 404, ""},
		{"kener", "GET", "/ext/heartbeat/rl1-node2/other", "", nil, 400, ""},
		{"plain", "GET", "/other", "", nil, 404, ""},
	} {
		s := &service{contract: contracts()[c.preset]}
		q := httptest.NewRequest(c.method, c.url, strings.NewReader(c.body))
		for name, values := range c.header {
			q.Header[name] = values
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, q)
		if w.Code != c.code || s.node != c.node {
			t.Errorf("%s: %s %s: %d, %q; want %d, %q", c.preset, c.method, c.url, w.Code, s.node, c.code, c.node)
		}
	}
}
