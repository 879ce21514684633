# One image for all of this repository's services: worker, Prefect server, one-shot services and the dbt docs.
#   docker build --build-arg REVISION="$(git describe --always --dirty --abbrev=40 --exclude='*')" -t ingest-clean:0.2.0 .
# Python 3.13, because Prefect 3.9.1's server fails on cron schedules with older versions.
ARG PYTHON=docker.io/library/python:3.13-slim-bookworm

FROM ${PYTHON} AS build
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /app
COPY tools/uv.txt tools/uv.txt
RUN python3 -m venv /uv && \
    /uv/bin/python -m pip install --quiet --no-cache-dir --require-hashes --only-binary :all: -r tools/uv.txt
# The packages, in a layer that changes with the lock file only.
COPY pyproject.toml uv.lock ./
RUN /uv/bin/uv sync --quiet --locked --no-default-groups --group stack --no-install-project
COPY LICENSE README.md dbt_project.yml prefect.yaml selectors.yml ./
COPY macros macros
COPY models models
COPY profiles profiles
COPY tests/data tests/data
COPY orchestration orchestration
# The package stays in /app, beside the dbt project.
RUN /uv/bin/uv sync --quiet --locked --no-default-groups --group stack && \
    .venv/bin/python -m compileall -q orchestration

FROM build AS docs
COPY examples examples
RUN .venv/bin/python -m orchestration.dbt_runner.docs

FROM ${PYTHON}
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ingest-clean" \
      org.opencontainers.image.description="Nightly ELT with write-audit-publish: Prefect, dbt on DuckDB, lakeFS" \
      org.opencontainers.image.version="0.2.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
# Open to all: runc 1.1.5 gives a tmpfs the mode of the folder that it covers, with root as its owner.
# The folders exist, so that a volume mounted at one of them begins with its owner.
RUN useradd --system --uid 10001 --home-dir /var/lib/elt --shell /usr/sbin/nologin elt && \
    install -d -o elt -g elt -m 1777 /var/lib/elt && \
    install -d -o elt -g elt -m 0700 /var/lib/elt/tmp /var/lib/prefect
# Code and packages belong to root: the service's own user cannot change them.
COPY --from=build /app /app
COPY --from=docs /app/target/docs/index.html /srv/docs/index.html
ENV PATH=/app/.venv/bin:$PATH \
    HOME=/var/lib/elt \
    TMPDIR=/var/lib/elt/tmp \
    PREFECT_HOME=/var/lib/elt/prefect \
    ELT_PROJECT_DIR=/app \
    ELT_STATE_DIR=/var/lib/elt/state \
    ELT_CODE_VERSION=${REVISION} \
    DO_NOT_TRACK=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /var/lib/elt
USER 10001
# Of the default command; docker-compose.yml has one for each service.
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s --retries=3 \
    CMD ["python", "-m", "orchestration.stack.healthy", "http://127.0.0.1:8080/health"]
CMD ["prefect", "worker", "start", "--pool", "etl-pool", "--limit", "1", "--with-healthcheck"]
