"""ingest-clean: nightly ELT with write-audit-publish on a versioned lake."""
