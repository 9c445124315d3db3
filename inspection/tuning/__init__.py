"""A camera on the bench or in the line is focused, lit and exposed by somebody who looks at a page in a browser."""
