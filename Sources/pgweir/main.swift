print("pgweir")
