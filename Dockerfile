# A small image: non-root, nothing but the package and its locked dependencies. State lives in the volume /state.
FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /app && /app/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN /app/bin/pip install --no-cache-dir --no-deps .

FROM python:3.12-slim
RUN useradd --uid 10001 --no-create-home monitor && mkdir /state /config && chown monitor /state
COPY --from=build /app /app
USER 10001
VOLUME ["/state"]
WORKDIR /
ENTRYPOINT ["/app/bin/monitor"]
CMD ["--help"]
