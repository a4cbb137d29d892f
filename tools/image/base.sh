#!/bin/sh
# Makes a local image that stands in for golang's, from Debian's packages and this machine's Go, for
# machines without a container registry. Prints nothing if it is there already.
set -eu
name=$1
go=${GO:-go}
version=$("$go" env GOVERSION)
if [ "$(buildah inspect --type image --format '{{ index .OCIv1.Config.Labels "golang" }}' "$name" 2>/dev/null)" = "$version" ]; then
	exit 0
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
debootstrap --variant=minbase --include=ca-certificates stable "$dir/root" >"$dir/log" 2>&1 ||
	{ tail -n 20 "$dir/log" >&2; exit 1; }
mkdir "$dir/sdk"
cp -R "$("$go" env GOROOT)/." "$dir/sdk"
container=$(buildah from scratch)
buildah add -q "$container" "$dir/root" / >/dev/null
buildah add -q "$container" "$dir/sdk" /go/sdk >/dev/null
buildah config --label "golang=$version" --env PATH=/go/sdk/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	--env GOPATH=/go --env GOCACHE=/go/cache "$container"
buildah commit -q --rm "$container" "$name" >/dev/null
