package ceph

import (
	"fmt"
	"slices"
	"strings"
)

// An Image is the location of an RBD image.
type Image struct {
	Pool      string `json:"pool"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// ParseImage parses POOL/IMAGE or POOL/NAMESPACE/IMAGE.
func ParseImage(s string) (Image, error) {
	words := strings.Split(s, "/")
	var i Image
	switch len(words) {
	case 2:
		i = Image{Pool: words[0], Name: words[1]}
	case 3:
		i = Image{Pool: words[0], Namespace: words[1], Name: words[2]}
	}
	if !i.valid() || len(words) == 3 && i.Namespace == "" {
		return Image{}, fmt.Errorf("ceph: %.80q is not POOL/IMAGE or POOL/NAMESPACE/IMAGE", s)
	}
	return i, nil
}

// String returns the form that [ParseImage] parses.
func (i Image) String() string {
	if i.Namespace == "" {
		return i.Pool + "/" + i.Name
	}
	return i.Pool + "/" + i.Namespace + "/" + i.Name
}

// valid reports whether the names can be those of a pool, a namespace and an image:
// an image's name contains neither / nor @, and a C string contains no 0.
func (i Image) valid() bool {
	for _, s := range []string{i.Pool, i.Namespace, i.Name} {
		if len(s) > maxText || s != text(s) || strings.ContainsAny(s, "/@") {
			return false
		}
	}
	return i.Pool != "" && i.Name != ""
}

// sanitize makes the names printable.
func (i Image) sanitize() Image {
	return Image{text(i.Pool), text(i.Namespace), text(i.Name)}
}

// Turn returns the images to query in this run, at most MaxImages from position from
// on, and the position where the next run begins. All images have been queried after
// len(images)/MaxImages+1 runs, if the list does not change.
func Turn(images []Image, from int) (turn []Image, next int) {
	if len(images) <= MaxImages {
		return slices.Clone(images), 0
	}
	if from < 0 || from >= len(images) {
		from = 0
	}
	for n := range MaxImages {
		turn = append(turn, images[(from+n)%len(images)])
	}
	return turn, (from + MaxImages) % len(images)
}
