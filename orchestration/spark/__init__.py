"""Apache Spark as the engine of a build: cleaning per page by DuckDB in the executors, everything else by Spark SQL."""
