# deltawire as an unprivileged user, from the hashed lock alone. Nothing is fetched when it runs.
#   docker build -t deltawire .
#   docker run --rm -v "$PWD/etc:/etc/deltawire:ro" -v deltawire:/var/lib/deltawire --env-file .env deltawire
# What /etc/deltawire/config.yaml has to say about paths: docs/operations.md.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/deltawire
COPY requirements/run.lock requirements/run.lock
RUN /opt/deltawire/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/run.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
# The build tool is in the lock; nothing outside of it is asked for.
RUN /opt/deltawire/bin/pip install --no-cache-dir --no-deps --no-build-isolation --no-index .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/deltawire --create-home --shell /usr/sbin/nologin deltawire \
 && install -d -o deltawire -g deltawire -m 0700 /run/deltawire /var/log/deltawire
COPY --from=build /opt/deltawire /opt/deltawire
ENV PATH=/opt/deltawire/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 XDG_STATE_HOME=/var/lib
USER 10001:10001
WORKDIR /var/lib/deltawire
VOLUME /var/lib/deltawire
# SIGTERM closes what is open and confirms it with the venues: give `docker stop` two and a half minutes (-t 150).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
  CMD ["deltawire", "status", "--config", "/etc/deltawire/config.yaml", "--json"]
ENTRYPOINT ["deltawire"]
CMD ["run", "--config", "/etc/deltawire/config.yaml"]
