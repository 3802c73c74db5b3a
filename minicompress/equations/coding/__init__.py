"""Coding: sparse rows, relative indices, and Huffman codes (PR-16, PR-17, QU-14)."""
