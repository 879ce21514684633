# A stand-in for treeverse/lakefs:1.86.0: the program that orchestration/servers/lakefs_build pins, with that image's user, paths and entry point.
ARG BASE
FROM ${BASE}
RUN useradd --system --create-home --home-dir /home/lakefs lakefs
COPY lakefs /app/lakefs
USER lakefs
WORKDIR /home/lakefs
EXPOSE 8000
ENTRYPOINT ["/app/lakefs"]
CMD ["run"]
