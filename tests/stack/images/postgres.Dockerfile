# A stand-in for postgres:15.18-bookworm: Debian's PostgreSQL 15.18, with the official image's user, paths and behaviour.
ARG BASE
FROM ${BASE}
RUN groupadd --system --gid 999 postgres && \
    useradd --system --gid postgres --uid 999 --home-dir /var/lib/postgresql --shell /bin/bash postgres && \
    apt-get update -qq && \
    DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends \
        postgresql-15=15.18-0+deb12u1 postgresql-client-15=15.18-0+deb12u1 > /dev/null && \
    rm -rf /var/lib/apt/lists/* /var/lib/postgresql/15 && \
    sed -i "s/^#listen_addresses = 'localhost'.*/listen_addresses = '*'/" /usr/share/postgresql/15/postgresql.conf.sample && \
    install --directory --owner postgres --group postgres --mode 3777 /var/run/postgresql && \
    install --directory --owner postgres --group postgres --mode 1777 /var/lib/postgresql/data
COPY postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
ENV PATH=/usr/lib/postgresql/15/bin:$PATH \
    PGDATA=/var/lib/postgresql/data \
    LANG=C.UTF-8
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
