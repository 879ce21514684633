"""The dbt models of the source tables: plain SQL and contracts, generated from the dbt sources' YAML.

`elt models` writes them, `elt models --check` compares them. `generate` determines the files, `sql`
generates their SQL, and `contracts` updates the YAML of a table without changing what people wrote there.
"""
