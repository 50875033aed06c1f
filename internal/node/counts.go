package node

// counts are Rings of many columns with a common head: the count of each column in
// the latest 60 slots of time. A past slot is a row that the logs of all later
// seconds share, so that a second costs one row, however many were counted before it.
type counts struct {
	head int64             // the latest slot's number
	rows [ringLen][]uint32 // by slot modulo ringLen, then by column; a column beyond the row has a count of 0
}

// ownRows marks the rows that no other log shares yet.
type ownRows [ringLen]bool

// add counts n more in the given slot, as Ring.add does. Shared rows are copied
// before they are changed.
func (c *counts) add(own *ownRows, slot int64, column int, n uint64) {
	if slot < 0 || slot <= c.head-ringLen {
		return
	}
	for i := max(c.head+1, slot-ringLen+1); i <= slot; i++ {
		c.rows[i%ringLen], own[i%ringLen] = nil, true
	}
	c.head = max(c.head, slot)
	row := c.rows[slot%ringLen]
	if !own[slot%ringLen] {
		row, own[slot%ringLen] = append(make([]uint32, 0, max(len(row), column+1)), row...), true
	}
	if column >= len(row) {
		row = append(row, make([]uint32, column+1-len(row))...)
	}
	row[column] = plus(row[column], n)
	c.rows[slot%ringLen] = row
}

// at returns the count of a column in the given slot.
func (c *counts) at(column int, slot int64) uint32 {
	if slot < 0 || slot > c.head || slot <= c.head-ringLen || column >= len(c.rows[slot%ringLen]) {
		return 0
	}
	return c.rows[slot%ringLen][column]
}

// sum returns the count of a column in the last slots up to and including now's.
func (c *counts) sum(column int, now, slots int64) (sum uint64) {
	for slot := max(now-slots+1, c.head-ringLen+1, 0); slot <= min(now, c.head); slot++ {
		if row := c.rows[slot%ringLen]; column < len(row) {
			sum += uint64(row[column])
		}
	}
	return sum
}

// within returns the count of each column in the last slots up to now, and the number
// of those slots with a count.
func (c *counts) within(now, slots int64) Window {
	w := Window{make([]uint64, c.width()), make([]uint8, c.width())}
	for slot := max(now-slots+1, c.head-ringLen+1, 0); slot <= min(now, c.head); slot++ {
		for column, n := range c.rows[slot%ringLen] {
			if n > 0 {
				w.n[column] += uint64(n)
				w.used[column]++
			}
		}
	}
	return w
}

// width returns the number of columns with a count.
func (c *counts) width() int {
	width := 0
	for _, row := range c.rows {
		width = max(width, len(row))
	}
	return width
}

// ring returns the counts of one column.
func (c *counts) ring(column int) Ring {
	r := Ring{head: c.head}
	for i, row := range c.rows {
		if column < len(row) {
			r.n[i] = row[column]
		}
	}
	return r
}

// only returns the counts of some columns, which are numbered by their order.
func (c *counts) only(columns []int) counts {
	left := counts{head: c.head}
	for i, row := range c.rows {
		if row == nil {
			continue
		}
		left.rows[i] = make([]uint32, len(columns))
		for to, from := range columns {
			if from < len(row) {
				left.rows[i][to] = row[from]
			}
		}
	}
	return left
}
