# A stand-in for versity/versitygw:v1.8.0: the program and the entry point of its Go module.
ARG BASE
FROM ${BASE}
COPY versitygw docker-entrypoint.sh /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]
