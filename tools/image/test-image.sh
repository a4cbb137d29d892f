#!/bin/sh
# Builds the image by the Dockerfile and runs it: see `make test-image`. Needs root, buildah, podman,
# runc, curl and, where GO_IMAGE is not given, debootstrap (Debian packages of these names).
set -eu
cd "$(dirname "$0")/../.."
go=${GO:-go}
for program in buildah podman runc curl; do
	command -v "$program" >/dev/null || { echo "make test-image needs $program: apt-get install buildah podman runc curl debootstrap" >&2; exit 1; }
done
VERSION=0.0.0-test
REVISION=$(git rev-parse HEAD)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
name=localhost/abs-exporter-test
dir=$(mktemp -d)
container=
trap 'test -z "$container" || podman rm -f "$container" >/dev/null; rm -rf "$dir"' EXIT

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

if [ -z "${GO_IMAGE:-}" ]; then
	GO_IMAGE=localhost/golang:$("$go" env GOVERSION)
	sh tools/image/base.sh "$GO_IMAGE"
fi
"$go" mod download

# build TAG PLATFORM [ARGS] builds without reusing layers. Modules come from this machine's cache,
# so the build needs no network.
build() {
	tag=$1 platform=$2
	shift 2
	buildah bud --quiet --no-cache --pull-never --isolation chroot --format docker --platform "$platform" \
		--build-arg BUILDPLATFORM="linux/$("$go" env GOHOSTARCH)" \
		--timestamp "$SOURCE_DATE_EPOCH" --build-arg SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" \
		--build-arg GO_IMAGE="$GO_IMAGE" --build-arg VERSION="$VERSION" --build-arg REVISION="$REVISION" \
		--build-arg GOPROXY=off --volume "$("$go" env GOMODCACHE):/go/pkg/mod:ro" "$@" --tag "$name:$tag" . >/dev/null
}

# digest TAG prints the digest of the image as OCI, which leaves out the random host name that
# buildah writes into Docker's format.
digest() {
	buildah push --quiet --format oci "$name:$1" "oci:$dir/$1" >/dev/null
	grep -o 'sha256:[0-9a-f]*' "$dir/$1/index.json"
}

run() {
	podman --runtime runc --cgroup-manager=cgroupfs run --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 --network host --read-only "$@"
}

cache="$("$go" env GOCACHE):/go/cache" # where base.sh has it; another image compiles anew
build first linux/amd64 --volume "$cache"
build second linux/amd64 # compiles everything again
first=$(digest first) second=$(digest second)
[ -n "$first" ] && [ "$first" = "$second" ] || fail "two builds of $REVISION differ: $first and $second"
echo "ok: two builds of the commit are $first"

build arm64 linux/arm64 --volume "$cache"
[ "$(buildah inspect --type image --format '{{ .OCIv1.Architecture }}' "$name:arm64")" = arm64 ] || fail 'the image for arm64 says another architecture'
echo 'ok: linux/arm64 builds'

mounted=$(buildah mount "$(buildah from --pull-never "$name:first")")
files=$(cd "$mounted" && find . -type f | sort)
buildah rm --all >/dev/null
[ "$files" = "./abs-exporter
./etc/ssl/certs/ca-certificates.crt" ] || fail "files in the image: $files"
size=$(podman image inspect --format '{{ .Size }}' "$name:first")
[ "$size" -lt 25000000 ] || fail "$size bytes are 25 MB or more"
echo "ok: two files, $size bytes"

for label in title description source documentation licenses version revision; do
	value=$(buildah inspect --type image --format "{{ index .Docker.Config.Labels \"org.opencontainers.image.$label\" }}" "$name:first")
	[ -n "$value" ] || fail "no label $label"
done
[ "$(podman image inspect --format '{{ .User }}' "$name:first")" = 65532:65532 ] || fail 'not the user 65532'

version=$(run --rm "$name:first" version)
[ "$version" = "abs-exporter $VERSION
commit $REVISION
$(run --rm --entrypoint go "$GO_IMAGE" env GOVERSION)" ] || fail "it reports: $version"
echo "ok: it reports its version, commit and Go version"

# The health check has the variables of the container, not its arguments.
address=127.0.0.1:${PORT:-20464}
container=$(run --detach --read-only-tmpfs=false --env "ABS_EXPORTER_WEB_LISTEN_ADDRESS=$address" "$name:first" demo)
tries=0
until curl -fsS "http://$address/metrics" >"$dir/metrics" 2>"$dir/error" && grep -q '^abs_requests_total{.*} [1-9]' "$dir/metrics"; do
	tries=$((tries + 1))
	[ "$tries" -lt 60 ] || { podman logs "$container" >&2; fail "no requests in /metrics: $(cat "$dir/error")"; }
	sleep 1
done
echo "ok: demo serves $(wc -l <"$dir/metrics") lines, as $(podman top "$container" huser | tail -n 1), with a read-only root"
podman healthcheck run "$container" || fail 'the health check fails'
podman exec "$container" /abs-exporter healthcheck --web.listen-address=127.0.0.1:1 2>"$dir/error" && fail 'the health check of a closed port passes'
grep -q 'connection refused' "$dir/error" || fail "the health check of a closed port says $(cat "$dir/error")"
podman exec "$container" /bin/sh -c true 2>/dev/null && fail 'there is a shell'
status=$(podman stop "$container" >/dev/null && podman wait "$container")
[ "$status" = 0 ] || fail "it ends with $status"
echo 'ok: health check, no shell, ends with 0'
