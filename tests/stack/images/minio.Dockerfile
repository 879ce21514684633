# A stand-in for quay.io/minio/minio: the program and the entry point of its Go module, and mc.
ARG BASE
FROM ${BASE}
COPY minio mc docker-entrypoint.sh /usr/bin/
ENV MC_CONFIG_DIR=/tmp/.mc
EXPOSE 9000
VOLUME ["/data"]
ENTRYPOINT ["/usr/bin/docker-entrypoint.sh"]
CMD ["minio"]
