"""python -m gd_regressor: tables, Parquet, files, the report."""
