// Package admin serves the operators' pages: the fleet, incidents, maintenance,
// tokens and the audit log, for operators who have signed in. The pages work without
// scripts.
package admin

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/status/checks"
	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/desk"
	"github.com/nodewatch/nodewatch/internal/status/fleet"
	"github.com/nodewatch/nodewatch/internal/status/ratelimit"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

//go:embed pages
var files embed.FS

// A Config contains the parts of the hub that an Admin uses.
type Config struct {
	Store  *store.Store
	Config func() config.Config // returns the configuration in force
	Checks func() []checks.Latest
	Now    func() time.Time
	Failed func(error) // receives errors that visitors do not see; must not block
}

// An Admin serves the operators' pages.
type Admin struct {
	store    *store.Store
	config   func() config.Config
	checks   func() []checks.Latest
	now      func() time.Time
	failed   func(error)
	pages    *template.Template
	style    []byte
	mux      *http.ServeMux
	cross    *http.CrossOriginProtection
	attempts *ratelimit.Limits
	hashing  chan struct{} // limits how many passwords are hashed at once
	nobody   string        // the hash that is verified if the operator does not exist
	signIns  signIns
}

// hashes is the number of passwords hashed at once: each takes 19 MiB.
const hashes = 2

// New returns an Admin.
func New(c Config) (*Admin, error) {
	a := &Admin{
		store: c.Store, config: c.Config, checks: c.Checks, now: c.Now, failed: c.Failed, mux: http.NewServeMux(),
		cross:    http.NewCrossOriginProtection(),
		attempts: ratelimit.New(attemptsPerSecond, attemptBurst, maxAttempts), hashing: make(chan struct{}, hashes), nobody: nobody(),
	}
	var err error
	a.pages, err = template.New("").Funcs(template.FuncMap{
		"at": when, "field": func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04") }, "span": human.Span,
		"title":    fleet.Title,
		"revision": revision, "link": newLink, "has": slices.Contains[[]string],
		"words": func(s any) string { return strings.ReplaceAll(fmt.Sprint(s), "_", " ") }, "path": escapePath, "number": human.Number[int],
	}).ParseFS(files, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	if a.style, err = files.ReadFile("pages/style.css"); err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	a.mux.HandleFunc("GET /admin.css", a.sheet)
	a.mux.HandleFunc("GET /login", a.loginPage)
	a.mux.HandleFunc("POST /login", a.login)
	for _, r := range a.routes() {
		a.mux.HandleFunc(r.pattern, a.guard(r))
	}
	return a, nil
}

// A route is a page or a form, and the role that may use it.
type route struct {
	pattern string
	role    string
	do      func(page) error
}

func (a *Admin) routes() []route {
	return []route{
		{"GET /{$}", store.Viewer, a.fleetPage},
		{"GET /nodes/{key...}", store.Viewer, a.nodePage},
		{"GET /checks", store.Viewer, a.checksPage},
		{"GET /incidents", store.Viewer, a.incidentsPage},
		{"POST /incidents", store.OperatorRole, a.openIncident},
		{"GET /incidents/{ref}", store.Viewer, a.incidentPage},
		{"POST /incidents/{ref}/{action}", store.OperatorRole, a.changeIncident},
		{"GET /maintenance", store.Viewer, a.maintenancesPage},
		{"POST /maintenance", store.OperatorRole, a.scheduleMaintenance},
		{"GET /maintenance/{ref}", store.Viewer, a.maintenancePage},
		{"POST /maintenance/{ref}/{action}", store.OperatorRole, a.changeMaintenance},
		{"GET /tokens", store.Admin, a.tokensPage},
		{"POST /tokens", store.Admin, a.createToken},
		{"POST /tokens/{id}/revoke", store.Admin, a.revokeToken},
		{"GET /audit", store.OperatorRole, a.auditPage},
		{"POST /logout", store.Viewer, a.logout},
	}
}

// ServeHTTP implements http.Handler.
func (a *Admin) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // no-referrer would make browsers send forms with Origin: null
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex")
	if err := a.cross.Check(q); err != nil {
		a.refuse(w, q, http.StatusForbidden, "This form was sent by another site.")
		return
	}
	q.Body = http.MaxBytesReader(w, q.Body, maxForm)
	a.mux.ServeHTTP(w, q)
}

// maxForm is the maximum size of a form, in bytes.
const maxForm = 256 << 10

// A page is a request that guard has admitted.
type page struct {
	w   http.ResponseWriter
	q   *http.Request
	who visitor
}

// wrong returns a mistake in a form, as a sentence.
func wrong(format string, args ...any) error { return desk.Mistake(fmt.Sprintf(format, args...)) }

// guard admits only requests that may use the route.
func (a *Admin) guard(r route) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		if err := q.ParseForm(); err != nil {
			a.refuse(w, q, http.StatusRequestEntityTooLarge, "The form is too large or damaged.")
			return
		}
		who, err := a.visitor(w, q)
		form := q.Method == http.MethodPost
		switch {
		case err != nil:
			a.unavailable(w, q, err)
			return
		case who.Role == "" && form:
			a.refuse(w, q, http.StatusForbidden, "Your session has ended: sign in, and send the form again.")
			return
		case who.Role == "":
			http.Redirect(w, q, "/login?to="+url.QueryEscape(q.URL.RequestURI()), http.StatusSeeOther)
			return
		case !who.May(r.role):
			a.refuse(w, q, http.StatusForbidden, fmt.Sprintf("This needs the role %s; yours is %s.", r.role, who.Role))
			return
		case form && !sameSite(who, q.PostFormValue("csrf")):
			a.refuse(w, q, http.StatusForbidden, "This form does not belong to your session: load the page again.")
			return
		}
		var (
			m desk.Mistake
			c desk.Conflict
		)
		switch err := r.do(page{w, q, who}); {
		case err == nil:
		case errors.Is(err, store.ErrNotFound):
			a.refuse(w, q, http.StatusNotFound, "There is no such page.")
		case errors.As(err, &m):
			a.refuse(w, q, http.StatusBadRequest, m.Error())
		case errors.As(err, &c):
			a.refuse(w, q, http.StatusBadRequest, c.Error())
		case errors.Is(err, store.ErrChanged):
			a.refuse(w, q, http.StatusConflict, "This has been changed in the meantime: go back, reload the page and check it.")
		default:
			a.unavailable(w, q, err)
		}
	}
}

func (a *Admin) unavailable(w http.ResponseWriter, q *http.Request, err error) {
	a.failed(err)
	a.refuse(w, q, http.StatusServiceUnavailable, "The database is not available; see the hub's log.")
}

// refuse responds with a sentence.
func (a *Admin) refuse(w http.ResponseWriter, _ *http.Request, code int, text string) {
	a.write(w, code, "message.html", view{Title: "nodewatch-status", Data: text})
}

// A view is the data of a page's template.
type view struct {
	Title string
	Site  string // the title of the public page
	Who   visitor
	Here  string // the path of the page
	Now   time.Time
	Data  any
}

// show responds with a page.
func (a *Admin) show(p page, name, title string, data any) error {
	return a.write(p.w, http.StatusOK, name, view{Title: title, Site: a.config().Page.Title, Who: p.who,
		Here: "/" + strings.SplitN(strings.TrimPrefix(p.q.URL.Path, "/"), "/", 2)[0], Now: a.now(), Data: data})
}

func (a *Admin) write(w http.ResponseWriter, code int, name string, v view) error {
	var b bytes.Buffer
	if err := a.pages.ExecuteTemplate(&b, name, v); err != nil {
		a.failed(fmt.Errorf("admin: %w", err))
		http.Error(w, "the page cannot be rendered", http.StatusInternalServerError)
		return nil
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes()) // the client may have disconnected
	return nil
}

// back responds to a form with a redirect to the page that shows the result.
func (p page) back(path string) error {
	http.Redirect(p.w, p.q, path, http.StatusSeeOther)
	return nil
}

func (a *Admin) sheet(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "private, max-age=300")
	_, _ = w.Write(a.style) // the client may have disconnected
}

func (a *Admin) loginPage(w http.ResponseWriter, q *http.Request) {
	who, err := a.visitor(w, q)
	switch {
	case err != nil:
		a.unavailable(w, q, err)
	case who.Role != "" && !who.Local:
		http.Redirect(w, q, "/", http.StatusSeeOther)
	default:
		a.loginForm(w, http.StatusOK, q.FormValue("to"), "")
	}
}

func (a *Admin) loginForm(w http.ResponseWriter, code int, to, text string) {
	_ = a.write(w, code, "login.html", view{Title: "Sign in", Site: a.config().Page.Title,
		Data: struct{ To, Text string }{inside(to), text}}) // never fails
}

// login starts a session. Its form has no CSRF token because there is no session yet.
// Like every form, it is accepted only if the browser sent it from this site.
func (a *Admin) login(w http.ResponseWriter, q *http.Request) {
	name, to := strings.TrimSpace(q.PostFormValue("name")), q.PostFormValue("to")
	err := a.signIn(q.Context(), name, q.PostFormValue("password"), address(q))
	switch {
	case errors.Is(err, errWrong):
		a.signIns.failed.Add(1)
		a.noteFailure(q, name)
		a.loginForm(w, http.StatusUnauthorized, to, "The name or the password is wrong.")
		return
	case errors.Is(err, errOften):
		a.signIns.limited.Add(1)
		w.Header().Set("Retry-After", "60")
		a.loginForm(w, http.StatusTooManyRequests, to, "Too many attempts; try again in a minute.")
		return
	case err != nil:
		a.unavailable(w, q, err)
		return
	}
	who, err := a.begin(w, q, name)
	if err != nil || who.Name == "" {
		a.unavailable(w, q, err)
		return
	}
	http.Redirect(w, q, inside(to), http.StatusSeeOther)
}

func (a *Admin) noteFailure(q *http.Request, name string) {
	err := a.store.Update(q.Context(), func(tx *store.Tx) error {
		return tx.Audit(q.Context(), store.Entry{At: a.now(), Who: "unknown", Action: "operator.sign-in-failed", Subject: short(name, 64),
			Detail: address(q)})
	})
	if err != nil {
		a.failed(err)
	}
}

func (a *Admin) logout(p page) error {
	if err := a.store.Update(p.q.Context(), func(tx *store.Tx) error { return tx.EndSession(p.q.Context(), p.who.secret) }); err != nil {
		return err
	}
	a.setCookie(p.w, p.q, "", -1)
	return p.back("/login")
}

// inside returns a path of this site: to, or the first page if to is none.
func inside(to string) string {
	if u, err := url.Parse(to); err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(to, "/") ||
		strings.HasPrefix(to, "//") || strings.Contains(to, "\\") {
		return "/"
	}
	return to
}

// address returns the address that a request comes from.
func address(q *http.Request) string {
	if from, err := netip.ParseAddrPort(q.RemoteAddr); err == nil {
		return from.Addr().Unmap().String()
	}
	return q.RemoteAddr
}

// hostname returns a Host header without its port.
func hostname(host string) string {
	u := url.URL{Host: host}
	return u.Hostname()
}

// short returns a text on one line, cut to at most n bytes.
func short(s string, n int) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

// A link points to one of the pages.
type link struct {
	Path, Text string
	Current    bool
}

func newLink(v view, path, text string) link { return link{path, text, v.Here == path} }

func when(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// escapePath escapes each part of a node's key for an address.
func escapePath(key string) string {
	parts := strings.Split(key, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}
