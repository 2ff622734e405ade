"""Texts become token ids: vocabularies and the token cache."""
