"""Local servers for a laptop: lakeFS and Prefect as processes behind `elt up`, `elt down` and `elt status`.

local       up, down, status
access      which lakeFS and which Prefect API the settings select, and their logins
background  one local server: start it, wait until it answers, stop it
model       types that these modules share
lakefs      how lakeFS is run, and its credentials
prefect     how Prefect is run, and which API is configured
worker      how the Prefect worker is run
build       the lakeFS program: found, or built once per machine
toolchain   the Go compiler for that build
process     background processes and their pid files
ports       free ports
health      HTTP health checks
files       locks, private files, ends of logs
"""
