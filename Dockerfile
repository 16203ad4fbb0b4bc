# One image for both commands, `murmur serve` and `murmur join`. Debian: the engine that trains has no build for musl.
# Nothing here needs BuildKit, which Debian's docker comes without.
FROM node:24-bookworm-slim AS build
WORKDIR /app
# The packages change less often than the sources: a layer of their own. Nothing that is installed needs its scripts.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
# The compiler is among what is pruned, so `prepare` must not try to build again. The engine brings its libraries for
# every platform, 220 MB that this one never loads.
RUN npm run build \
 && npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
 && rm -r node_modules/onnxruntime-node/bin/napi-v*/darwin node_modules/onnxruntime-node/bin/napi-v*/win32

FROM node:24-bookworm-slim
# docker build --build-arg REVISION=$(git rev-parse HEAD) .
ARG REVISION=unknown
LABEL org.opencontainers.image.title="murmuration" \
      org.opencontainers.image.description="Federated learning with secure aggregation: the coordinator and devices" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/node:24-bookworm-slim" \
      org.opencontainers.image.revision="${REVISION}"
# The engine would report its sessions to its maker. MURMUR_OUT: the runs of every command, also of `docker exec`.
ENV NODE_ENV=production \
    ORT_DISABLE_TELEMETRY=1 \
    MURMUR_OUT=/var/lib/murmuration
# A volume that is mounted for the first time takes its owner and mode from the folder that the image has there.
RUN groupadd --gid 10001 murmur \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin murmur \
 && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/murmuration /var/lib/murmuration-devices \
 && ln --symbolic /app/dist/cli/main.js /usr/local/bin/murmur
WORKDIR /app
# Root's, and readable only: the process cannot change its own program.
COPY package.json package-lock.json LICENSE ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["node", "/app/dist/cli/main.js"]
CMD ["--help"]
