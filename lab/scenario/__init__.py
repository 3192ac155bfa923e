"""What is described: frozen, checked specs of a backend and its workload; YAML in and out; variants."""
