"""The hub: takes in complaints over bad links, keeps them whole, and gives devices their answers."""
