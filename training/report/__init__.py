"""One self-contained page about a model and the images that it was tried on, for whoever answers for quality."""
