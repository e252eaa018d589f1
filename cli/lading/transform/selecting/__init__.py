"""The parts of node selection: its grammar, its methods, the ways through the graph."""
