package config

import (
	"errors"
	"net/url"
	"strings"
)

// An Address is the address of the database.
type Address struct {
	Path string // path of SQLite's file; empty: PostgreSQL
	URL  string // URL of PostgreSQL; may contain a password

	NoSync bool // SQLite: a power cut may lose the latest acknowledged data; for tests
}

// ParseAddress parses sqlite:PATH or a URL of PostgreSQL.
func ParseAddress(s string) (Address, error) {
	if path, is := strings.CutPrefix(s, "sqlite:"); is {
		if path == "" || strings.ContainsAny(path, "?#") {
			return Address{}, errors.New("sqlite: must be followed by the path of a file, without ? and #")
		}
		return Address{Path: path}, nil
	}
	u, err := url.Parse(s)
	if err != nil { // the error's text may contain a password
		return Address{}, errors.New("the address is not a URL; allowed are sqlite:PATH and postgres://USER@HOST/DATABASE")
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return Address{}, errors.New("allowed are sqlite:PATH and postgres://USER@HOST/DATABASE")
	}
	return Address{URL: s}, nil
}

// String returns the address without its password.
func (a Address) String() string {
	if a.Path != "" {
		return "sqlite:" + a.Path
	}
	u, err := url.Parse(a.URL)
	if err != nil {
		return "postgres"
	}
	q := u.Query()
	if q.Has("password") {
		q.Set("password", "xxxxx")
		u.RawQuery = q.Encode()
	}
	return u.Redacted()
}

// Redact removes the password from an error's text.
func (a Address) Redact(err error) error {
	u, parsed := url.Parse(a.URL)
	if parsed != nil {
		return err
	}
	secrets := []string{u.Query().Get("password")}
	if p, set := u.User.Password(); set {
		secrets = append(secrets, p)
	}
	text := err.Error()
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "xxxxx")
		}
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}
