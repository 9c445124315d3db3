"""The gRPC API: an edge around LineControl and the records."""
