// Package browser tests pages in a real browser, Debian's Chromium: their sizes on a
// phone and on a desktop, that they work without scripts and load nothing from other
// servers, and that axe-core finds no problem. It is a separate module, so that
// nodewatch does not depend on a browser.
package browser
