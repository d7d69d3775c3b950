"""A folder of files: which file a path names, its representations, and the responder that sends them."""
