"""Manifests read, checked and turned into components."""
