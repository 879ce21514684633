"""Begin a source table from one answer of its API (`elt source add`), and try a date without the lake (`check`).

`answer` reads the answer, `shape`, `fields`, `types`, `kept`, `day` and `paging` guess the declaration, each guess with
its reason. `draft` is the result, `add` writes it, and `trial` builds its models in a copy of the project.
"""
