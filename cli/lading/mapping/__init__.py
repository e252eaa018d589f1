"""From rows to Port entities: mapping files, the JQ in them, and where it runs."""
