// Package fold makes few names of many: families of user agents, and templates of paths.
package fold
