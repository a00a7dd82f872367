"""What users ask of single runs is carried out by the writers that manage them."""
