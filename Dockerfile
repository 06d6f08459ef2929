# One file, two images:
#
#     docker build --target api    --tag rationale-api:0.1.0 .
#     docker build --target worker --tag rationale-worker:0.1.0 .
#
# The API image holds no torch. The worker image gets the build of torch that pip's own index serves, which on Linux is
# the one for CUDA; it also runs without a GPU, but is some gigabytes larger than it need be there. For the small CPU
# build, pass the address of an index that serves it (torch's installation page names them):
#
#     docker build --target worker --build-arg TORCH_INDEX_URL=<address> --tag rationale-worker:0.1.0-cpu .

FROM python:3.11-slim AS builder
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PATH=/opt/rationale/bin:$PATH
WORKDIR /src
RUN python -m venv /opt/rationale
COPY pyproject.toml constraints.txt README.md LICENSE ./

FROM scratch AS sources
COPY app /app
COPY jobs /jobs
COPY openapi /openapi
COPY rationale /rationale
COPY workers /workers

# In both builders the first installation sees no sources: it brings what they need, in a layer that outlives their changes.
FROM builder AS api-builder
RUN pip install --constraint constraints.txt ".[api]"
COPY --from=sources / ./
RUN pip install --no-deps --force-reinstall .

FROM builder AS worker-builder
ARG TORCH_INDEX_URL=""
RUN if [ -n "$TORCH_INDEX_URL" ]; then \
        pip install --constraint constraints.txt --no-deps --index-url "$TORCH_INDEX_URL" torch torchvision; \
    fi
RUN pip install --constraint constraints.txt ".[worker]"
COPY --from=sources / ./
RUN pip install --no-deps --force-reinstall .

# Nothing is written outside /tmp while it runs, so the root file system may be mounted read-only.
FROM python:3.11-slim AS runtime
ENV HOME=/tmp \
    PATH=/opt/rationale/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
RUN useradd --system --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin rationale
WORKDIR /tmp

FROM runtime AS api
COPY --from=api-builder /opt/rationale /opt/rationale
# A new volume mounted here belongs to the user below; the file of API keys is kept in it.
RUN install --directory --owner=10001 /var/lib/rationale
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/livez', timeout=3)"]
CMD ["rationale", "api", "--host", "0.0.0.0", "--port", "8000"]

FROM runtime AS worker
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=worker-builder /opt/rationale /opt/rationale
COPY deploy/worker_alive.py /opt/rationale/worker_alive.py
USER 10001
HEALTHCHECK --interval=20s --timeout=10s --start-period=180s --retries=3 \
    CMD ["python", "/opt/rationale/worker_alive.py"]
CMD ["rationale", "worker"]
