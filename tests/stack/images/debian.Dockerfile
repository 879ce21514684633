# The base of the stand-ins: Debian with BusyBox's wget, which health checks call.
ARG BASE
FROM ${BASE}
RUN apt-get update -qq && apt-get install --yes -qq --no-install-recommends busybox > /dev/null && \
    rm -rf /var/lib/apt/lists/* && ln -s /bin/busybox /usr/local/bin/wget
