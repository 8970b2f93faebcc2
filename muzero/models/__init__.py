"""World models: each module offers interchangeable models of an environment."""
