"""Arithmetic on packed data: sparse rows, integers, and signs of which 64 lie in a word."""
