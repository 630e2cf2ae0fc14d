"""The turns of bench_collection.py, a file each."""
