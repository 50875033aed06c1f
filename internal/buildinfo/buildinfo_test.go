package buildinfo

import (
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"
)

func TestDebian(t *testing.T) {
	for version, want := range map[string]string{
		"":                                     "",
		"v0.9.0":                               "0.9.0",
		"v0.9.0-dirty":                         "0.9.0+git0.dirty",
		"v0.9.0-3-g1a2b3c4":                    "0.9.0+git3.g1a2b3c4",
		"v0.9.0-3-g1a2b3c4-dirty":              "0.9.0+git3.g1a2b3c4.dirty",
		"v0.9.0-rc.1":                          "0.9.0~rc.1",
		"v0.9.0-rc.1-12-g1a2b3c4":              "0.9.0~rc.1+git12.g1a2b3c4",
		"v0.9.1-0.20261130083000-1a2b3c4d5e6f": "0.9.1~git20261130083000.g1a2b3c4d5e6f",
		"v0.0.0-20261130083000-1a2b3c4d5e6f+dirty": "0.0.0~git20261130083000.g1a2b3c4d5e6f.dirty",
	} {
		if got := Debian(version); got != want {
			t.Errorf("%q: got %q, want %q", version, got, want)
		}
	}
}

// Versions sort in the same order as in dpkg, if dpkg is installed.
func TestVersionsSort(t *testing.T) {
	dpkg, err := exec.LookPath("dpkg")
	if err != nil {
		t.Skip("no dpkg to compare versions with")
	}
	order := []string{"v0.9.0-rc.1", "v0.9.0", "v0.9.0-3-g1a2b3c4", "v0.9.0-12-gffffff0", "v0.9.1-0.20261130083000-1a2b3c4d5e6f", "v0.9.1"}
	for i := range order[1:] {
		a, b := Debian(order[i]), Debian(order[i+1])
		if err := exec.Command(dpkg, "--compare-versions", a, "lt", b).Run(); err != nil {
			t.Errorf("%s is not before %s", a, b)
		}
	}
}

func TestTheFirstThatKnowsIsTaken(t *testing.T) {
	vcs := &debug.BuildInfo{Main: debug.Module{Version: "v0.8.0"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "bbbb"}, {Key: "vcs.time", Value: "2026-11-02T00:00:00Z"},
	}}
	devel := &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}
	const filled, unreleased, placeholder = "v0.7.0|cccc|2026-11-03T00:00:00Z\n", "|cccccccccc|2026-11-03T00:00:00Z\n",
		"$Format:%(describe)|%H|%cI$\n"
	for name, tt := range map[string]struct {
		linked   Info
		build    *debug.BuildInfo
		archived string
		want     string // version, revision, date
	}{
		"linker": {Info{Version: "v0.9.0", Revision: "aaaa", Date: "2026-11-01T00:00:00Z"}, vcs, filled,
			"0.9.0 aaaa 2026-11-01T00:00:00Z"},
		"build info": {Info{}, vcs, filled, "0.8.0 bbbb 2026-11-02T00:00:00Z"},
		"archive":    {Info{}, devel, filled, "0.7.0 cccc 2026-11-03T00:00:00Z"},
		"no release": {Info{}, devel, unreleased, "0.0.0+git0.gccccccc cccccccccc 2026-11-03T00:00:00Z"},
		"nothing":    {Info{}, devel, placeholder, "unknown unknown unknown"},
	} {
		i := from(tt.linked, tt.build, tt.archived)
		if got := i.Version + " " + i.Revision + " " + i.Date; got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// git archive fills in the file that the build falls back to.
func TestArchiveIsFilledIn(t *testing.T) {
	if err := exec.Command("git", "rev-parse", "--verify", "-q", "HEAD:./archive.txt").Run(); err != nil {
		t.Skip("no git checkout with archive.txt")
	}
	out, err := exec.Command("sh", "-c",
		`cd "$(git rev-parse --show-toplevel)" && git archive --worktree-attributes HEAD internal/buildinfo/archive.txt | tar -xO`).Output()
	if err != nil {
		t.Fatal(err)
	}
	head, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	if i := from(Info{}, &debug.BuildInfo{}, string(out)); i.Revision != strings.TrimSpace(string(head)) || i.Version == "unknown" ||
		i.Date == "unknown" {
		t.Errorf("got %+v from %q", i, out)
	}
}
