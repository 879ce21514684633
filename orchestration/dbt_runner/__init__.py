"""One dbt build in this process: its project, manifest, inputs, results and docs."""
