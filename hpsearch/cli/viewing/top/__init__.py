"""``hpsearch top``: follows a search, or several, shows them in a terminal, and does what keys ask for."""
