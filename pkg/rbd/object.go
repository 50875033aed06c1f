package rbd

import "strings"

// objectImage returns the image id within an object's name. Objects of an image
// are rbd_data.ID.N (or rbd_data.POOL.ID.N with a data pool), rbd_header.ID and
// rbd_object_map.ID; a namespace stands before them with a slash.
func objectImage(object string) string {
	if i := strings.LastIndexByte(object, '/'); i >= 0 {
		object = object[i+1:]
	}
	parts := strings.Split(object, ".")
	if len(parts) < 2 {
		return ""
	}
	switch parts[0] {
	case "rbd_header", "rbd_object_map":
		return parts[1]
	case "rbd_data":
		if len(parts) > 2 {
			return parts[len(parts)-2]
		}
	}
	return ""
}
