// Package browser tries pages in a real browser, Debian's Chromium: what they measure
// on a phone and on a desk, that they work without scripts, load nothing from
// elsewhere, and that axe-core finds nothing wrong with them. It is a module of its
// own, so that nodewatch does not depend on a browser.
package browser
