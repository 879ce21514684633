"""Analysts' access to published data: queries, rejected rows, sandboxes."""
