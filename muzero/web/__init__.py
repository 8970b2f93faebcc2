"""A local web page: play against a trained agent, watch it, and unfold its search tree."""
