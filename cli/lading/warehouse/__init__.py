"""The database: the only room that opens DuckDB, and the tables that keep the books."""
