"""What must be fast, measured: `python -m bench NAME`, or `all` for every one and RESULTS.md."""
