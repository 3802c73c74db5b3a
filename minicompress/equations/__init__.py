"""The equations: pages and nothing else. Each file is a family; `minicompress.checker` reads and runs them."""
