// Package buildinfo describes this build of nodewatch: its version in Debian's form,
// the revision it was built from, and that revision's date.
package buildinfo

import (
	"cmp"
	_ "embed"
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
)

// describe, revision and date are set by the linker as in the Makefile: the output of
// git describe, the commit, and its date in RFC 3339. They are empty if go build was
// called without the Makefile.
var describe, revision, date string

// archived contains the same values for a source archive: git archive fills in the
// file, and in a checkout it is a placeholder.
//
//go:embed archive.txt
var archived string

// Info describes a build. An unknown field is "unknown".
type Info struct {
	Version  string // such as 0.9.0, or 0.9.0+git3.g1a2b3c4 for the third commit after 0.9.0
	Revision string // the commit
	Date     string // date of the commit, RFC 3339: a build's own date would make builds differ
	Go       string // such as go1.26.0
	OS, Arch string
}

// Read returns the Info of the running program.
func Read() Info {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = &debug.BuildInfo{}
	}
	return from(Info{Version: describe, Revision: revision, Date: date}, build, archived)
}

// from takes each field from the first source that has it: linker, Go's build info, archive.
func from(linked Info, build *debug.BuildInfo, archived string) Info {
	info := Info{
		Version: Debian(linked.Version), Revision: linked.Revision, Date: linked.Date,
		Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
	}
	if v := build.Main.Version; v != "(devel)" {
		info.Version = cmp.Or(info.Version, Debian(v))
	}
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			info.Revision = cmp.Or(info.Revision, s.Value)
		case "vcs.time":
			info.Date = cmp.Or(info.Date, s.Value)
		}
	}
	if fields := strings.Split(strings.TrimSpace(archived), "|"); len(fields) == 3 && !strings.HasPrefix(archived, "$Format") {
		described := fields[0]
		if described == "" { // no release yet
			described = fmt.Sprintf("v0.0.0-0-g%.7s", fields[1])
		}
		info.Version = cmp.Or(info.Version, Debian(described))
		info.Revision, info.Date = cmp.Or(info.Revision, fields[1]), cmp.Or(info.Date, fields[2])
	}
	for _, field := range []*string{&info.Version, &info.Revision, &info.Date} {
		*field = cmp.Or(*field, "unknown")
	}
	return info
}

// Versions as written by git and Go.
var (
	afterTag = regexp.MustCompile(`^(.*)-(\d+)-g([0-9a-f]+)$`)               // 0.9.0-3-g1a2b3c4
	pseudo   = regexp.MustCompile(`^(.*?)-(?:0\.)?(\d{14})-([0-9a-f]{12})$`) // 0.9.1-0.20261130083000-1a2b3c4d5e6f
)

// Debian converts a version from git describe or Go, such as v0.9.0-3-g1a2b3c4, to the
// form that dpkg and rpm sort correctly: 0.9.0+git3.g1a2b3c4. A release candidate sorts
// before its release: v0.9.0-rc.1 is 0.9.0~rc.1.
func Debian(version string) string {
	v := strings.TrimPrefix(version, "v")
	var suffix string
	for _, dirty := range []string{"-dirty", "+dirty"} {
		if clean, is := strings.CutSuffix(v, dirty); is {
			v, suffix = clean, ".dirty"
		}
	}
	switch {
	case pseudo.MatchString(v):
		m := pseudo.FindStringSubmatch(v)
		return strings.ReplaceAll(m[1], "-", "~") + "~git" + m[2] + ".g" + m[3] + suffix
	case afterTag.MatchString(v):
		m := afterTag.FindStringSubmatch(v)
		return strings.ReplaceAll(m[1], "-", "~") + "+git" + m[2] + ".g" + m[3] + suffix
	case suffix != "":
		return strings.ReplaceAll(v, "-", "~") + "+git0" + suffix
	}
	return strings.ReplaceAll(v, "-", "~")
}

// Text returns the output of --version for the program of the given name, without a
// trailing newline.
func (i Info) Text(program string) string {
	return fmt.Sprintf("%s, version %s (revision: %s)\n  build date:       %s\n  go version:       %s\n  platform:         %s/%s",
		program, i.Version, i.Revision, i.Date, i.Go, i.OS, i.Arch)
}
