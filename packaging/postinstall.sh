#!/bin/sh
# Of the packages. A new installation starts nothing: it has neither the address of an ABS nor keys.
set -e
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
# An upgrade: Debian gives the former version, rpm the number of versions that are installed.
if { [ "$1" = configure ] && [ -n "$2" ]; } || [ "$1" = 2 ]; then
	systemctl try-restart abs-exporter.service
fi
