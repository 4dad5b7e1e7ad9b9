"""What music expresses, labelled by what its notes tell, and what pictures show, by what people call them."""
