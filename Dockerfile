# The server alone, on the locked versions; see docs/deploying.md.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1

WORKDIR /app
COPY requirements.txt ./
RUN ["python", "-m", "pip", "install", "--require-hashes", "-r", "requirements.txt"]

COPY destination destination
COPY destinations destinations
RUN python -m compileall -q destination destinations \
    && useradd --system --uid 10001 --no-create-home destination \
    && install -d -o destination -m 700 /data

# Without a PORT the server would listen on loopback, which nobody outside could reach.
ENV PORT=8000
EXPOSE 8000
USER 10001
VOLUME /data

# Past any proxy of the environment, and on IPv4 or IPv6, wherever HOST has it listen.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD ["python", "-c", "import http.client, os; c = http.client.HTTPConnection('localhost', int(os.environ['PORT']), timeout=4); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]

# The exec form: the server is the first process, and gets SIGTERM itself.
CMD ["python", "-m", "destination", "serve"]
