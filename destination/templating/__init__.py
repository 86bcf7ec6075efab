"""What the template language is made of; ``destination.template`` is how it is used."""
