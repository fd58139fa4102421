# A small image: non-root, nothing but the package and its locked dependencies; no compiler, no pip in the last stage.
# It needs no writable root: state is in the volume /state, scratch in /tmp.
ARG PYTHON=python:3.12.11-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /app && /app/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN /app/bin/pip install --no-cache-dir --no-deps . && /app/bin/pip uninstall --yes pip

FROM ${PYTHON}
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin monitor \
    && mkdir /state /config \
    && chown 10001:10001 /state \
    && rm -rf /usr/local/lib/python3.12/site-packages/pip /usr/local/bin/pip*
COPY --from=build /app /app
COPY --chmod=0555 deploy/entrypoint.sh /entrypoint.sh
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
VOLUME ["/state"]
WORKDIR /
# The scheduler answers here when `schedules.listen` is 127.0.0.1:9464 or 0.0.0.0:9464; commands that end do not need it.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/app/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9464/healthz', timeout=4)"]
ENTRYPOINT ["/entrypoint.sh"]
CMD ["--help"]
