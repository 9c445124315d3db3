"""The plant's copy: records go to its PostgreSQL, images to its object store, and the line never waits for either."""
