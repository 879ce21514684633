"""The dbt models of the source tables: plain SQL and contracts, generated from the dbt sources' YAML.

`elt models` (`make models`) writes them, `elt models --check` compares them. `generate` says which files there are,
`sql` makes their SQL, `contracts` keeps the YAML of a table up to date without touching what people wrote there.
"""
