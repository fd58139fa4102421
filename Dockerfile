# A small image: non-root, nothing but the package and its locked dependencies; no compiler, no pip in the last stage.
# It needs no writable root: state is in the volume /state, scratch in /tmp.
ARG PYTHON=python:3.12.11-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /app && /app/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
# What the dependencies ship for those who build or test against them: tests, headers; and Arrow Flight, a server.
RUN cd /app/lib/python3*/site-packages \
    && rm -r pyarrow/tests pyarrow/include pyarrow/src /app/include \
    && rm pyarrow/libarrow_flight.so.* pyarrow/libarrow_python_flight.so* pyarrow/_flight.*.so
COPY requirements-build.lock ./
RUN python -m venv /build && /build/bin/pip install --no-cache-dir --require-hashes -r requirements-build.lock
COPY . .
RUN /build/bin/hatchling build --target wheel --directory /wheel \
    && /app/bin/pip install --no-cache-dir --no-deps /wheel/*.whl \
    && /app/bin/pip uninstall --yes pip

FROM ${PYTHON}
# The base image has no bytecode, and a read-only root lets none be written: without it, each start compiles the library.
RUN useradd --uid 10001 --no-log-init --no-create-home --shell /usr/sbin/nologin monitor \
    && mkdir /state /config \
    && chown 10001:10001 /state \
    && python -m pip uninstall --yes --root-user-action=ignore pip \
    && rm -r /usr/local/lib/python3*/ensurepip \
    && python -m compileall -q /usr/local/lib/python3* > /dev/null
COPY --from=build /app /app
COPY --chmod=0555 deploy/entrypoint.sh /entrypoint.sh
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
VOLUME ["/state"]
WORKDIR /
# The scheduler answers here when `schedules.listen` is 127.0.0.1:9464 or 0.0.0.0:9464; commands that end do not need it.
# http.client, since urllib would ask a proxy of the environment.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/app/bin/python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 9464, timeout=4); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["/entrypoint.sh"]
CMD ["--help"]
