"""What the API costs: images to judge, and results to watchers, beside bare references in the same run."""
