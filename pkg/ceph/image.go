package ceph

import (
	"fmt"
	"slices"
	"strings"
)

// An Image is where an RBD image is.
type Image struct {
	Pool      string `json:"pool"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// ParseImage reads POOL/IMAGE or POOL/NAMESPACE/IMAGE.
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

// String prints what [ParseImage] reads.
func (i Image) String() string {
	if i.Namespace == "" {
		return i.Pool + "/" + i.Name
	}
	return i.Pool + "/" + i.Namespace + "/" + i.Name
}

// valid reports whether these can be the names of a pool, a namespace and an
// image: an image's may hold neither / nor @, a C string no 0.
func (i Image) valid() bool {
	for _, s := range []string{i.Pool, i.Namespace, i.Name} {
		if len(s) > maxText || s != text(s) || strings.ContainsAny(s, "/@") {
			return false
		}
	}
	return i.Pool != "" && i.Name != ""
}

// sanitize makes the names fit for people's eyes.
func (i Image) sanitize() Image {
	return Image{text(i.Pool), text(i.Namespace), text(i.Name)}
}

// Turn picks the images to ask this time, MaxImages at most from position from
// on, and says where the next turn begins. All have had their turn after
// len(images)/MaxImages+1 turns, if the list stays.
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
