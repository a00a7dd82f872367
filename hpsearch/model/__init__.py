"""Values and decisions: what a search consists of and what follows from what, without touching anything outside."""
