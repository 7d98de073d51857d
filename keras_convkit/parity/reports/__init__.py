"""What a run is told in: a terminal table, HTML, JSON."""
