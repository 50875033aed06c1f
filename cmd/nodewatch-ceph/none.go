//go:build !ceph

package main

import "github.com/nodewatch/nodewatch/pkg/ceph"

// connect cannot, as this program was built without the tag ceph.
func connect(ceph.Request) (cluster, error) { return nil, ceph.ErrWithout }
