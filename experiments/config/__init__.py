"""Gin: files and flags read, checked and rendered."""
