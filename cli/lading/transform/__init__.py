"""Models: from SQL with Jinja to a graph, from the graph to views, tables and rows."""
