"""What this project claims, an experiment a file: ``run(lab, plan)``, and its claims at the end."""
