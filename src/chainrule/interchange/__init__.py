"""In and out: what is trained here as other libraries have it, and what was trained there as networks of ours."""
