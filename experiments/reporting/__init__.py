"""What a person looks at: reports, pictures, TensorBoard."""
