"""`elt backfill`: publish a range of dates in several processes, or as flow runs of several workers."""
