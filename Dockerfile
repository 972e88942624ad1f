# servesim as a container: `docker build -t servesim .`, then
# `docker run --rm -p 127.0.0.1:8765:8765 -e SERVESIM_TOKEN=dapi-mine servesim serve --unknown-models stub`.
# Every option of `servesim serve` is also a variable (SERVESIM_UNKNOWN_MODELS=stub). The health check asks
# http on SERVESIM_PORT: with --tls give one of your own (`docker run --health-cmd`).
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
WORKDIR /source
COPY LICENSE README.md pyproject.toml ./
COPY contracts contracts
COPY loadtests loadtests
COPY scenarios scenarios
COPY simulator simulator
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}-slim
# `--build-arg EXTRAS=fast,tls,mlflow` for real MLflow models, `clients` for the Databricks SDK.
ARG EXTRAS=fast,tls
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir "$(echo /wheels/*.whl)[${EXTRAS}]" \
    && useradd --uid 10001 --create-home --shell /usr/sbin/nologin servesim
USER 10001:10001
WORKDIR /home/servesim
# Within a container every address counts as remote; who can reach it is decided by the ports that are published.
ENV SERVESIM_HOST=0.0.0.0 SERVESIM_PORT=8765 SERVESIM_ALLOW_REMOTE=1 PYTHONUNBUFFERED=1
EXPOSE 8765
HEALTHCHECK --interval=2s --timeout=5s --start-period=30s --retries=15 \
    CMD ["python", "-c", "import http.client, os; connection = http.client.HTTPConnection('127.0.0.1', int(os.environ['SERVESIM_PORT']), timeout=3); connection.request('GET', '/_servesim/v1/health'); raise SystemExit(connection.getresponse().status != 200)"]
ENTRYPOINT ["servesim"]
CMD ["serve"]
