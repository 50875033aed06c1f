package rule

// All returns every rule, with default thresholds of its own, in the order in
// which findings of equal severity are reported.
func All() []Rule {
	return []Rule{
		kmsgLost(),
		sourceStalled(),
	}
}
