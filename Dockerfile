# The image of the kit: `docker compose up` runs the quick reproduction; see docs/docker.md.
#
#   docker build --tag mathderive:cpu .                    cuda or tpu: --build-arg ACCELERATOR=cuda
#   docker build --target test --tag mathderive:test .     with the tests: docker run --rm --init mathderive:test test
ARG BASE_IMAGE=python:3.13-slim-trixie

# The libraries of the lock file, installed by the base image's pip. Removed are the tools for installing, packages that
# no code here imports, the libraries' own tests (0.1 GB), and pyarrow (0.2 GB), which TFDS needs for Parquet files only.
FROM ${BASE_IMAGE} AS libraries
ARG ACCELERATOR=cpu
COPY requirements/${ACCELERATOR}.txt /tmp/
RUN python3 -m venv --without-pip /opt/venv \
    && python3 -m pip --python /opt/venv/bin/python install --quiet --no-cache-dir --require-hashes \
        --requirement /tmp/${ACCELERATOR}.txt \
    && python3 -m pip --python /opt/venv/bin/python uninstall --quiet --yes \
        editables hatchling pathspec pluggy tomlkit trove-classifiers \
        aiofiles googleapis-common-protos zipp pyarrow \
    && find /opt/venv/lib -type d -name tests -prune -exec rm --recursive {} +

# The command itself, which run.sh installs on top of the libraries; the next stage copies it.
FROM libraries AS command
ARG ACCELERATOR=cpu
ENV MATHDERIVE_ACCELERATOR=${ACCELERATOR} MATHDERIVE_VENV=/opt/venv
WORKDIR /app
COPY . .
RUN python3 -m venv /opt/venv && ./run.sh --help >/dev/null
WORKDIR /opt/venv
RUN mkdir /opt/command \
    && cp --archive --parents bin/mathderive .installed-* lib/python3*/site-packages/*mathderive* /opt/command

FROM ${BASE_IMAGE} AS kit
ARG ACCELERATOR=cpu
ARG REVISION=""
LABEL org.opencontainers.image.title="mathderive" \
      org.opencontainers.image.description="Reproducibility kit for 'Generating Mathematical Derivations with Large Language Models'" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
ENV MATHDERIVE_ACCELERATOR=${ACCELERATOR} \
    MATHDERIVE_VENV=/opt/venv \
    MATHDERIVE_REVISION=${REVISION} \
    HF_HOME=/cache/huggingface \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# Any user may write to the cache; a volume that is made there inherits its mode.
RUN useradd --uid 1000 --no-create-home --home-dir /tmp mathderive \
    && install --directory --mode=1777 /cache /cache/huggingface \
    && install --directory --owner=mathderive --group=mathderive /app /app/runs
WORKDIR /app
COPY --from=libraries /opt/venv /opt/venv
COPY scripts/as_owner.sh /usr/local/bin/
COPY run.sh pyproject.toml README.md LICENSE CITATION.cff ./
COPY requirements/${ACCELERATOR}.txt requirements/
COPY checkpoints checkpoints
COPY configs configs
COPY tfds_builders tfds_builders
COPY mathderive mathderive
COPY --from=command /opt/command /opt/venv
# In a checkout made under umask 077, only its owner may read the files; here every user must.
RUN find . /usr/local/bin/as_owner.sh ! -perm -o=r -exec chmod a+rX {} + \
    && /opt/venv/bin/python -m compileall -q mathderive tfds_builders
# Compose starts as root instead, and the entrypoint becomes the owner of ./runs.
USER 1000
EXPOSE 8000
HEALTHCHECK --start-period=1m --interval=10s --timeout=5s \
    CMD ["/opt/venv/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["as_owner.sh"]
CMD ["all"]

# The image with the test tools and the tests.
FROM kit AS test
USER 0
COPY . .
RUN python3 -m venv /opt/venv && ./run.sh test --version >/dev/null && chown mathderive /app \
    && find . ! -perm -o=r -exec chmod a+rX {} +
USER 1000
CMD ["test"]

# The default target is the last one.
FROM kit
