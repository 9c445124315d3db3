"""What a plant's own tools see of a station: metrics, traces of single parts, and log lines."""
