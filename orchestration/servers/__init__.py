"""The servers a laptop needs: lakeFS and Prefect as local processes, behind `elt up`, `elt down` and `elt status`.

local       up, down, status
access      what the other commands ask: which lakeFS and which Prefect API are meant, and their logins
background  one local server: start it, wait until it answers, stop it
model       what these modules pass to each other
lakefs      how lakeFS is run, and its credentials
prefect     how Prefect is run, and which API it is configured to use
build       the lakeFS program: found, or built once per machine
toolchain   the Go compiler for that
process     background processes and their pid files
ports       free ports
health      whether a server answers
files       locks, private files, ends of logs
"""
