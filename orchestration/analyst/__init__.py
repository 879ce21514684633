"""What an analyst does with published data: queries, rejected rows, sandboxes."""
