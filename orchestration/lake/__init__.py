"""The lakeFS repository: client, keys, gate, receipts and the catalog of published data."""
