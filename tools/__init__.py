"""What renews the generated parts of the repository."""
