"""What a person looks at: read only."""
