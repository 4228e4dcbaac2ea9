"""What customers bought and returned, in whatever currency."""
