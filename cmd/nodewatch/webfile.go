package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v3"
	"golang.org/x/sys/unix"

	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// webFileAgain is how often the web configuration is reread.
const webFileAgain = 5 * time.Second

// maxWebFile is the maximum size of a web configuration, certificate or key, in bytes.
const maxWebFile = 1 << 20

// A webFile is the file for TLS and basic authentication, with its certificates.
// exporter-toolkit reads its file at each request and each handshake, so it gets a
// copy in memory: a stuck disk cannot block a response. A separate goroutine rereads
// the file and replaces the copy.
type webFile struct {
	path   string // empty: there is none
	tls    bool   // the file enables TLS
	copy   *os.File
	sum    [sha256.Size]byte
	broken atomic.Bool // connections are refused: the file has become invalid while running
}

// openWebFile reads the file of the given name.
func openWebFile(path string) (*webFile, error) {
	f := &webFile{path: path}
	if path == "" {
		return f, nil
	}
	content, secured, err := loadWebFile(path)
	if err != nil {
		return nil, err
	}
	if f.copy, err = inMemory(content); err != nil {
		return nil, fmt.Errorf("web configuration %s: %w", path, err)
	}
	f.tls, f.sum = secured, sha256.Sum256(content)
	return f, nil
}

// checkWebFile returns what is wrong with a file.
func checkWebFile(path string) error {
	if path == "" {
		return nil
	}
	_, _, err := loadWebFile(path)
	return err
}

// flags returns the flags for exporter-toolkit.
func (f *webFile) flags() *web.FlagConfig {
	name := ""
	if f.copy != nil {
		name = inProc(f.copy)
	}
	return &web.FlagConfig{WebConfigFile: &name}
}

// scheme returns the URL scheme of the page.
func (f *webFile) scheme() string {
	if f.tls {
		return "https"
	}
	return "http"
}

// watch rereads the file until ctx ends. A read that hangs blocks only this
// goroutine; the last content stays in use.
func (f *webFile) watch(ctx context.Context, log *slog.Logger) {
	if f.path == "" {
		return
	}
	said := ""
	for {
		select {
		case <-time.After(webFileAgain):
		case <-ctx.Done():
			return
		}
		err := f.reload()
		switch {
		case err == nil && said != "":
			log.Info("The web configuration is valid again", "file", f.path)
			said = ""
		case err != nil && err.Error() != said:
			said = err.Error()
			if f.broken.Load() {
				log.Error("Connections are refused until the web configuration is valid", "err", err)
			} else {
				log.Warn("Cannot reload the web configuration; keeping the previous one", "err", err)
			}
		}
	}
}

// reload rereads the file. A failing disk proves nothing about the file, so the last
// content stays in use.
func (f *webFile) reload() error {
	content, secured, err := loadWebFile(f.path)
	if err == nil && secured != f.tls {
		err = fmt.Errorf("web configuration %s: turning TLS on or off requires a restart", f.path)
	}
	if err == nil {
		err = f.replace(content)
	}
	f.broken.Store(err != nil && !errors.Is(err, syscall.EIO))
	return err
}

func (f *webFile) replace(content []byte) error {
	sum := sha256.Sum256(content)
	if sum == f.sum {
		return nil
	}
	fresh, err := inMemory(content)
	if err != nil {
		return fmt.Errorf("web configuration %s: %w", f.path, err)
	}
	defer fresh.Close()
	if err := unix.Dup3(int(fresh.Fd()), int(f.copy.Fd()), unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("web configuration %s: %w", f.path, err)
	}
	f.sum = sum
	return nil
}

// loadWebFile returns the valid content of the file with its certificates inlined,
// and whether it enables TLS. An error is one line that names the file.
func loadWebFile(path string) (content []byte, secured bool, err error) {
	wrong := func(err error) error {
		return fmt.Errorf("web configuration %s: %w", path, oneLine{err})
	}
	raw, err := webSecret(path).Content(maxWebFile)
	if err != nil {
		return nil, false, wrong(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, false, wrong(err)
	}
	if doc.Kind == 0 { // only comments
		return nil, false, nil
	}
	var c web.Config
	strict := yaml.NewDecoder(bytes.NewReader(raw)) // for errors with the lines of the file
	strict.KnownFields(true)
	if err := strict.Decode(&c); err != nil {
		return nil, false, wrong(err)
	}
	if err := inline(doc.Content[0], filepath.Dir(path)); err != nil {
		return nil, false, wrong(err)
	}
	if content, err = yaml.Marshal(&doc); err != nil {
		return nil, false, wrong(err)
	}
	if err := validate(content); err != nil {
		return nil, false, wrong(err)
	}
	return content, c.TLSConfig.IsEnabled(), nil
}

// validate returns what is wrong with a content whose certificates are inlined.
// exporter-toolkit must not open the files that a configuration names: it would wait
// for a pipe, and read a device without end.
func validate(content []byte) error {
	var c web.Config
	if err := yaml.Unmarshal(content, &c); err != nil {
		return err
	}
	if t := c.TLSConfig; t.TLSCertPath+t.TLSKeyPath+t.ClientCAs != "" {
		return errors.New("tls_server_config: cert_file, key_file and client_ca_file must not come from a merge key (<<)")
	}
	f, err := inMemory(content)
	if err != nil {
		return err
	}
	defer f.Close()
	return web.Validate(inProc(f))
}

// inline inserts the certificates and the key that the mapping names.
func inline(root *yaml.Node, dir string) error {
	section := valueOf(root, "tls_server_config")
	if section == nil {
		return nil
	}
	for _, field := range []struct{ from, to string }{{"cert_file", "cert"}, {webKey, "key"}, {"client_ca_file", "client_ca"}} {
		from, to := field.from, field.to
		value := valueOf(section, from)
		if value == nil || value.Value == "" {
			continue
		}
		read := httpclient.ReadRegular
		if from == webKey {
			read = func(path string, most int64) ([]byte, error) { return webSecret(path).Content(most) }
		}
		raw, err := read(beside(dir, value.Value), maxWebFile)
		if err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		remove(section, from)
		remove(section, to)
		section.Content = append(section.Content, text(to), text(string(raw)))
	}
	return nil
}

// webKey is the name of the private key file's field in the section
// tls_server_config.
const webKey = "key_file"

// beside returns the path of a file that a file in dir names.
func beside(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

// webSecret returns a file with a secret; a relative path is not a credential.
func webSecret(path string) httpclient.SecretFile { return httpclient.SecretFile(absolute(path)) }

// webSecrets returns the files with secrets of a web configuration: the file itself,
// for its passwords, and its private key.
func webSecrets(path string) []httpclient.SecretFile {
	if path == "" {
		return nil
	}
	list := []httpclient.SecretFile{webSecret(path)}
	var c web.Config
	raw, err := list[0].Content(maxWebFile)
	if err == nil && yaml.Unmarshal(raw, &c) == nil && c.TLSConfig.TLSKeyPath != "" {
		list = append(list, webSecret(beside(filepath.Dir(path), c.TLSConfig.TLSKeyPath)))
	}
	return list
}

func text(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// valueOf returns the value of a name in the mapping; nil: it is absent.
func valueOf(m *yaml.Node, name string) *yaml.Node {
	for i := 0; m.Kind == yaml.MappingNode && i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == name {
			if value := m.Content[i+1]; value.Kind == yaml.AliasNode {
				return value.Alias
			}
			return m.Content[i+1]
		}
	}
	return nil
}

func remove(m *yaml.Node, name string) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == name {
			m.Content = append(m.Content[:i:i], m.Content[i+2:]...)
			return
		}
	}
}

// inMemory returns a file in memory with the content (memfd_create(2)).
func inMemory(content []byte) (*os.File, error) {
	const name = "nodewatch-web"
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if err := f.Chmod(0o600); err != nil { // protected like any other file with secrets
		return nil, errors.Join(err, f.Close())
	}
	if _, err := f.Write(content); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// inProc returns the name by which this process can open the file again.
func inProc(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

// A oneLine is an error whose text is one line.
type oneLine struct{ error }

func (e oneLine) Error() string { return strings.Join(strings.Fields(e.error.Error()), " ") }

func (e oneLine) Unwrap() error { return e.error }
