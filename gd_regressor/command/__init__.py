"""The command's rooms: tables, Parquet, the report."""
