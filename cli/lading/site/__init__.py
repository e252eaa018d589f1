"""The site: its page, the libraries that it needs, and how both become a folder with data."""
