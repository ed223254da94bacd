"""The results table: rows over seeds, intervals, differences."""
