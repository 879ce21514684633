"""Projects of one's own: begin one (`elt new`), bring one to this version (`elt upgrade`), publish its raw sample."""
