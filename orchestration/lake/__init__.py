"""The lakeFS repository: its client, its keys, the gate, the receipts and what they say is published."""
