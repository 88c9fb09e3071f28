"""What each loop costs, measured in pairs: `python -m benchmarks.gate`."""
