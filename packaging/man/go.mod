module github.com/abs-exporter/abs-exporter/packaging/man

go 1.26.0

require github.com/cpuguy83/go-md2man/v2 v2.0.7

require github.com/russross/blackfriday/v2 v2.1.0 // indirect
