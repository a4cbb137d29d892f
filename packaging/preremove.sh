#!/bin/sh
# Of the packages. Debian says "remove", rpm that no version stays. An upgrade stops nothing.
set -e
[ -d /run/systemd/system ] || exit 0
case "$1" in
remove | 0) systemctl disable --now abs-exporter.service ;;
esac
