# An image of Daybook. It is installed by the very steps of `make up`: the same script, the same lock file, the same
# command (tests/system/test_image.py runs them in a plain folder). The Python is the one that Debian 12 has and CI uses.
#   docker build -t daybook .
#   docker run --init -p 127.0.0.1:3000:3000 -v daybook:/data daybook      # a whole instance; compose.yaml has the parts
FROM python:3.11.13-slim-bookworm

WORKDIR /daybook
COPY .ci/install .ci/
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY domain domain/
COPY projections projections/
COPY adapters adapters/
COPY api api/
COPY workers workers/
RUN --mount=type=cache,target=/root/.cache/pip .ci/install requirements.lock
# Whoever runs it may not write here, so Python could not keep what it compiles.
RUN .venv/bin/python -m compileall -q domain projections adapters api workers

# A number, so that an orchestrator can see that it is not root's.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin daybook \
    && install --directory --mode 700 --owner daybook --group daybook /data
USER 10001:10001

ENV PATH=/daybook/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DAYBOOK_BIND=0.0.0.0 \
    DAYBOOK_DATA=/data
VOLUME /data
EXPOSE 3000
# /livez, not /readyz: while read models are being built it is not ready, and nobody should kill it for that.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client as h, os; c = h.HTTPConnection('127.0.0.1', int(os.environ.get('DAYBOOK_PORT') or 3000), timeout=4); c.request('GET', '/livez'); raise SystemExit(int(c.getresponse().status != 200))"]
CMD [".venv/bin/daybook", "up"]
