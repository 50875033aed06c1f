package rbd

import "strings"

// objectImage returns the image id within an object's name. Objects of an image are
// rbd_data.ID.N (or rbd_data.POOL.ID.N with a data pool), rbd_header.ID and
// rbd_object_map.ID; a namespace and a slash may precede them. Images of format 1
// have no id: their objects are rb.N.N.N.N, of which all but the last number identify
// the image, and the header NAME.rbd.
func objectImage(object string) string {
	if i := strings.LastIndexByte(object, '/'); i >= 0 {
		object = object[i+1:]
	}
	parts := strings.Split(object, ".")
	if len(parts) < 2 {
		return ""
	}
	if parts[0] == "rb" && len(parts) == 5 {
		return strings.Join(parts[:4], ".")
	}
	if name, ok := strings.CutSuffix(object, ".rbd"); ok && name != "" {
		return object
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
