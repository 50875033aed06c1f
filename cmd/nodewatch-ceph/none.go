//go:build !ceph

package main

import "github.com/nodewatch/nodewatch/pkg/ceph"

// connect always fails, because this program was built without the tag ceph.
func connect(ceph.Request) (cluster, error) { return nil, ceph.ErrWithout }
