# The whole kit in one image: `docker compose up` runs the quick reproduction.
ARG BASE_IMAGE=python:3.13-slim-trixie
FROM ${BASE_IMAGE}

ARG ACCELERATOR=cpu
ENV MATHDERIVE_VENV=/opt/venv \
    MATHDERIVE_ACCELERATOR=${ACCELERATOR} \
    PYTHONUNBUFFERED=1

WORKDIR /app
# The libraries first: this layer changes with the lock file only.
COPY requirements/${ACCELERATOR}.txt requirements/
RUN python3 -m venv /opt/venv \
    && /opt/venv/bin/python -m pip install --quiet --no-cache-dir --require-hashes -r requirements/${ACCELERATOR}.txt

COPY . .
RUN ./run.sh --help >/dev/null \
    && mkdir -p runs \
    && useradd --create-home --uid 1000 mathderive \
    && chown mathderive runs

USER mathderive
VOLUME /app/runs
ENTRYPOINT ["./run.sh"]
CMD ["all"]
