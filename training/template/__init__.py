"""A part beside a golden image: found, aligned, compared, judged; all of it inside one graph."""
