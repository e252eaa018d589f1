"""The project's files, read and checked: everything a person declared, as frozen data."""
