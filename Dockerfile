# The image of abs-exporter: the static binary, certificates of public authorities, and nothing to
# run beside it. The zones are in the binary (time/tzdata).
#
#   docker build --build-arg VERSION=1.2.3 --build-arg REVISION=$(git rev-parse HEAD) .
#
# GO_IMAGE may be that of a mirror. It needs Go, a shell and /etc/ssl/certs/ca-certificates.crt.
ARG GO_IMAGE=docker.io/library/golang:1.26.8-bookworm

# The compiler runs on the builder's platform and writes a binary for the image's.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
ARG TARGETOS TARGETARCH
ARG GOPROXY
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE_DATE_EPOCH=0
# /data is where the state is kept, and belongs to the user of the image. One time for all files
# and directories gives the same bytes in each build of a commit.
RUN set -eu; \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
      -ldflags "-s -w -X main.version=$VERSION -X main.revision=$REVISION" \
      -o /image/abs-exporter ./cmd/abs-exporter; \
    mkdir -p /image/etc/ssl/certs /image/data; \
    cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/; \
    chmod 755 /image /image/etc /image/etc/ssl /image/etc/ssl/certs; \
    chmod 700 /image/data; \
    chown 65532:65532 /image/data; \
    find /image -exec touch -d "@$SOURCE_DATE_EPOCH" {} +

FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="abs-exporter" \
      org.opencontainers.image.description="PingIntelligence ABS for Prometheus, Grafana, Alertmanager and OpenTelemetry" \
      org.opencontainers.image.source="https://github.com/abs-exporter/abs-exporter" \
      org.opencontainers.image.documentation="https://github.com/abs-exporter/abs-exporter/blob/main/docs/install.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /image/ /
USER 65532:65532
# --state.dir is data/ below this by default.
WORKDIR /
# Where demo has its files: there is no /tmp.
ENV TMPDIR=/data
VOLUME ["/data"]
EXPOSE 10464
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["/abs-exporter", "healthcheck"]
ENTRYPOINT ["/abs-exporter"]
