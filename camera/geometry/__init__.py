"""Where things lie in a picture: the lens, the belt's plane, and the part itself, as pure functions on pixels."""
