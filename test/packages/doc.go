// Package packages tests what a release consists of: the unit, and with DIST set, as make
// test-packages sets it, the archives and packages themselves.
package packages
