#!/bin/sh
# Of the packages. The state stays: without it, counters and token ids begin anew. "apt purge"
# removes it, as it removes configuration files.
set -e
if [ "$1" = purge ]; then
	rm -rf "${DPKG_ROOT:-}/var/lib/private/abs-exporter"
	rm -f "${DPKG_ROOT:-}/var/lib/abs-exporter"
fi
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
