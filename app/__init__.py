"""What the product does: capabilities on floors, each importing only those below it."""
